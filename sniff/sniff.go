// Package sniff shows VRRP packets: it opens what they come from, and has a network
// process say what is in them.
package sniff

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/rvrrpd/rvrrpd/capture"
	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"github.com/rvrrpd/rvrrpd/walls"
	"golang.org/x/sys/unix"
)

// Options say what Sniff listens to and what it writes.
type Options struct {
	// Interface to listen on. With File, the one that frames were captured on
	// where the file names none; those of others that it names are passed over.
	Interface string
	// File is a pcap or pcapng capture to read instead of listening, "-" for
	// standard input.
	File string
	// Own are addresses of the host that File was captured on, MACs its
	// hardware addresses; at most ipc.MaxOwn each.
	Own  []netip.Addr
	MACs [][6]byte
	// Write is the pcap file that the frames shown are written to; "": none.
	Write string
	// Count of packets to show before the end; 0: no limit.
	Count int
	// VRID whose packets are shown, 1..255; 0: all.
	VRID int
	// JSON: one object a line, instead of text.
	JSON bool
	// Detail of the text: 0 is one line a packet, 5 the most.
	Detail int
	// Config judges each packet as the daemon with it would; nil: no verdict.
	Config *conf.Config
	// Out is written to, whole lines at once.
	Out io.Writer
	// Log gets what is not a packet.
	Log *slog.Logger
	// Signals are those that the caller has caught, since the start of the process.
	Signals <-chan os.Signal
}

// startTime is how long a network process may take for a step of its start, and for a
// packet.
const startTime = int64(5 * time.Second)

// sniffer is the state of the process.
type sniffer struct {
	Options
	spawner  *children.Spawner
	child    *children.Child
	phase    ipc.Phase
	datagram []byte    // what the child says
	outgoing ipc.Batch // for the child
	judge    *judge    // nil: the packets are shown without a verdict
	source   frames
	out      *os.File // that is written, as it was before begin; nil: none
	writer   *capture.Writer
	left     int // packets until the end; negative: no end
}

// anyInterface is what captures of all interfaces call theirs.
const anyInterface = "any"

// frames is where captured frames come from. Next returns io.EOF at the end,
// and errAgain where more may come later.
type frames interface {
	Next() (record, error)
	// begin reads what is ahead of the first frame. The process is confined.
	begin() error
	// fd can be waited for; -1: Next waits itself.
	fd() int
}

// record is a captured frame, and what is known of where it went.
type record struct {
	capture.Record
	arrival sniffing.Arrival
}

// Run shows packets until their end, a signal, or Count.
func Run(o Options) (err error) {
	s := &sniffer{Options: o, left: o.Count, phase: ipc.PhaseHello, datagram: make([]byte, ipc.MaxDatagram)}
	if s.left == 0 {
		s.left = -1
	}
	signals, err := ipc.SignalFD(o.Signals)
	if err != nil {
		return err
	}
	if err := s.open(signals); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	defer s.spawner.Close()
	if err := confine(); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	if err := s.begin(); err != nil {
		return err
	}
	if s.writer != nil {
		defer func() { err = errors.Join(err, s.writer.Close()) }()
	}
	if err := s.meet(); err != nil {
		return err
	}
	err = s.follow(signals)
	_, err = s.lastWords(err)
	return err
}

// meet has a child started, and introduces itself.
func (s *sniffer) meet() (err error) {
	for range children.StruckTries {
		if s.child, err = s.spawner.Spawn(ipc.NetprocProgram); err != nil {
			return err
		}
		if err = s.introduce(); err == nil {
			return nil
		}
		var e children.Ending
		if e, err = s.lastWords(err); !e.Struck() {
			break
		}
	}
	return err
}

// open opens the source and the file that is written, and takes over the
// configuration: of the interface's routers.
func (s *sniffer) open(signals int) (err error) {
	var in *os.File
	if s.File == "" {
		s.source, err = listenLive(s.Interface)
	} else {
		s.source, in, err = openCapture(s.File, signals)
	}
	if err != nil {
		return err
	}
	if s.Config != nil {
		if s.judge, err = newJudge(&s.Options); err != nil {
			return err
		}
	}
	if s.Write == "" {
		return nil
	}
	if s.out, err = create(s.Write, in); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// begin reads the beginning of a capture, with nothing to lose any more, and
// makes the file empty that is written: if the capture is none, it stays.
func (s *sniffer) begin() error {
	if err := s.source.begin(); err != nil || s.out == nil {
		return err
	}
	info, err := s.out.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = s.out.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	s.writer = capture.NewWriter(s.out)
	return nil
}

// create opens a file for writing that is not the one that is read.
func create(path string, in *os.File) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && in != nil {
		read, err := in.Stat()
		if err != nil {
			return nil, err
		}
		if os.SameFile(info, read) {
			return nil, fmt.Errorf("%s is the capture that is read", path)
		}
	}
	return f, err
}

// start starts the spawner, for a child of the configured user where we are root.
func (s *sniffer) start() (err error) {
	user := ""
	if s.Config != nil && os.Geteuid() == 0 {
		user = s.Config.User
	}
	uid, gid, err := children.Identity(user)
	if err != nil {
		return err
	}
	if s.spawner, err = children.Start(uid, gid, ipc.NetprocProgram); err != nil {
		return err
	}
	return s.spawner.Serve(uid, gid)
}

// confine leaves us without capabilities, without files but those that are open, and
// with the system calls of rules.Sniffer.
func confine() error {
	if err := walls.Confine(nil); err != nil {
		return err
	}
	if err := landlock.V11.BestEffort().Restrict(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return walls.LoadFilter(syscallFilter)
}

// introduce brings the child to where it shows packets.
func (s *sniffer) introduce() error {
	m, err := s.await(ipc.TypeHello)
	if err != nil {
		return err
	}
	if err := s.spawner.Verify(s.child, m.(ipc.Hello).Build); err != nil {
		return err
	}
	s.phase = ipc.PhaseConfigure
	s.send(ipc.NoSlot, ipc.Hello{Build: ipc.Build()})
	s.send(ipc.NoSlot, sniffing.Sniff{JSON: s.JSON, Judge: s.judge != nil, Detail: uint8(s.Detail), VRID: uint8(s.VRID), Live: s.File == "", Own: s.Own, MACs: s.MACs})
	s.judge.tell(s.send)
	err = s.outgoing.Flush(s.child.Control.Send)
	s.outgoing.Wipe()
	if err != nil {
		return err
	}
	if _, err := s.await(ipc.TypeReady); err != nil {
		return err
	}
	s.phase = ipc.PhaseSniff
	return nil
}

// send puts a message on the control lane, of the only generation.
func (s *sniffer) send(slot ipc.Slot, m ipc.Message) {
	s.outgoing.Add(ipc.Header{Slot: slot, Generation: 1}, m)
}

// await waits for a message of the child; any other is a violation.
func (s *sniffer) await(t ipc.Type) (ipc.Message, error) {
	for end := ipc.Monotonic() + startTime; ; {
		n, err := s.child.Control.Recv(s.datagram)
		if err == nil {
			return s.only(s.datagram[:n], t)
		}
		if !errors.Is(err, ipc.ErrAgain) {
			return nil, err
		}
		left := time.Duration(end - ipc.Monotonic())
		if left <= 0 {
			return nil, errors.New("it does not answer")
		}
		if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(s.child.Control.FD()), Events: unix.POLLIN}}, left); err != nil {
			return nil, err
		}
	}
}

// only reads a datagram that has to be one message of a type.
func (s *sniffer) only(b []byte, t ipc.Type) (ipc.Message, error) {
	h, payload, rest, err := ipc.Next(b)
	if err != nil {
		return nil, err
	}
	if h.Type != t || len(rest) > 0 {
		return nil, fmt.Errorf("it says %v, not %v alone", h.Type, t)
	}
	if err := ipc.Check(h, len(payload), ipc.FromChild, ipc.LaneControl, s.phase); err != nil {
		return nil, err
	}
	return sniffing.Decode(h.Type, payload)
}

// follow shows what comes.
func (s *sniffer) follow(signals int) error {
	for s.left != 0 {
		r, err := s.source.Next()
		var b [1]byte
		if n, _ := unix.Read(signals, b[:]); n > 0 {
			return nil
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errAgain):
			fds := []unix.PollFd{{Fd: int32(signals), Events: unix.POLLIN}, {Fd: int32(s.source.fd()), Events: unix.POLLIN}}
			if _, err := ipc.Wait(fds, -1); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			if err := s.show(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// show hands a frame to the child and prints what it makes of it.
func (s *sniffer) show(r record) error {
	if r.Interface == "" || r.Interface == anyInterface && s.Interface != "" {
		r.Interface = s.Interface
	}
	if s.Interface != "" && r.Interface != s.Interface {
		return nil
	}
	links, err := s.judge.linksOf(r.Interface)
	if err != nil {
		return err
	}
	s.send(ipc.NoSlot, sniffing.Capture{
		Time: r.Time.UnixNano(), LinkType: r.LinkType, Length: r.Length, Arrival: r.arrival, Links: links, Interface: children.Plain(r.Interface, '?'), Frame: r.Frame[:min(len(r.Frame), ipc.MaxCapture)],
	})
	if err := s.outgoing.Flush(s.child.Control.Send); err != nil {
		return err
	}
	m, err := s.await(ipc.TypeShown)
	if err != nil {
		return err
	}
	text := m.(sniffing.Shown).Text
	if len(text) == 0 {
		return nil
	}
	s.left--
	if _, err := io.WriteString(s.Out, children.Plain(string(text), '?')); errors.Is(err, unix.EPIPE) {
		s.left = 0 // nobody reads on
		return nil
	} else if err != nil {
		return err
	}
	if s.writer != nil {
		return s.writer.Write(r.Record)
	}
	return nil
}

// lastWords ends the child, and says of one that had ended how.
func (s *sniffer) lastWords(err error) (children.Ending, error) {
	e, lost := s.spawner.End(s.child)
	if lost != nil {
		s.Log.Error("network process lost", "error", lost)
	}
	if e.Words != "" {
		s.Log.Error("network process says", "words", e.Words)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		err = fmt.Errorf("network process ended: %v", e)
	}
	return e, err
}
