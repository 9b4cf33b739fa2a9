package netproc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

const (
	second = int64(time.Second)
	ms     = int64(time.Millisecond)
	start  = 1000 * second // when a process is made
)

var (
	ours     = netip.MustParseAddr("10.77.0.2")
	peer     = netip.MustParseAddr("10.77.0.1")
	virtual  = netip.MustParseAddr("10.77.0.254")
	virtual2 = netip.MustParseAddr("10.77.0.253")

	ours6    = netip.MustParseAddr("fe80::2")
	peer6    = netip.MustParseAddr("fe80::1")
	virtual6 = []netip.Addr{netip.MustParseAddr("fe80::5e00:207"), netip.MustParseAddr("2001:db8::254")}
)

// parent plays the parent over real lanes. The process's turns are called by
// hand and its time is a number, so that no test waits.
type parent struct {
	t               testing.TB
	p               *process
	now             int64
	control, frames *ipc.Conn
	generation      uint32
	phase           ipc.Phase // of the child, as we see it
	last            ipc.Header
	buf             []byte
	looking         bool // looks are to be told, too
}

// lanes makes two lanes: our ends, and those of the process.
func lanes(t testing.TB) (control, frames, itsControl, itsFrames *ipc.Conn) {
	t.Helper()
	make := func() (*ipc.Conn, *ipc.Conn) {
		c, fd, err := ipc.Pair()
		if err != nil {
			t.Fatal(err)
		}
		other := ipc.FromFD(fd)
		t.Cleanup(func() { c.Close(); other.Close() })
		return c, other
	}
	control, itsControl = make()
	frames, itsFrames = make()
	return control, frames, itsControl, itsFrames
}

func newParent(t testing.TB) *parent {
	t.Helper()
	d := &parent{t: t, now: start, generation: 1, phase: ipc.PhaseConfigure, buf: make([]byte, ipc.MaxDatagram)}
	var itsControl, itsFrames *ipc.Conn
	d.control, d.frames, itsControl, itsFrames = lanes(t)
	d.p = newProcess(itsControl, itsFrames, func() int64 { return d.now })
	return d
}

// say sends messages in one datagram on the control lane.
func (d *parent) say(ms ...any) {
	d.t.Helper()
	var b ipc.Batch
	h := ipc.Header{Slot: ipc.NoSlot, Generation: d.generation}
	for _, m := range ms {
		switch m := m.(type) {
		case ipc.Header:
			h = m
			continue
		case ipc.Slot:
			h.Slot = m
			continue
		case ipc.Message:
			b.Add(h, m)
		default:
			d.t.Fatalf("cannot say %T", m)
		}
		h = ipc.Header{Slot: ipc.NoSlot, Generation: d.generation}
	}
	if err := b.Flush(d.control.Send); err != nil {
		d.t.Fatal(err)
	}
}

// frame forwards a packet that arrived at an instant.
func (d *parent) frame(arrived int64, packet []byte) {
	d.t.Helper()
	d.send(ipc.Frame{Link: 0, Family: ipc.IPv4, Received: arrived, Packet: packet})
}

func (d *parent) send(f ipc.Frame) {
	d.t.Helper()
	if err := d.frames.Send(ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: d.generation}, f)); err != nil {
		d.t.Fatal(err)
	}
}

// turn lets the process have a turn with everything ready, and returns what
// it says.
func (d *parent) turn() []string {
	d.t.Helper()
	if err := d.p.turn(ready{control: true, frames: true}); err != nil {
		d.t.Fatal(err)
	}
	return d.heard()
}

// heard reads what the process has said, each word as a string, and holds it
// against the table as the parent does.
func (d *parent) heard() (out []string) {
	d.t.Helper()
	for {
		n, err := d.control.Recv(d.buf)
		if errors.Is(err, ipc.ErrAgain) {
			return out
		} else if err != nil {
			d.t.Fatal(err)
		}
		for rest := d.buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				d.t.Fatal(err)
			}
			phase := d.phase
			if h.Type == ipc.TypeHello {
				phase = ipc.PhaseHello
			}
			if err := ipc.Check(h, len(payload), ipc.FromChild, ipc.LaneControl, phase); err != nil {
				d.t.Error(err)
			}
			m, err := report.Decode(h.Type, payload)
			if err != nil {
				d.t.Fatal(err)
			}
			if h.Type == ipc.TypeReady {
				d.phase = ipc.PhaseRun
			}
			if h.Sequence == 0 || h.Sequence == d.last.Sequence {
				d.t.Errorf("%v has number %d, as nothing may have or the last one had", h.Type, h.Sequence)
			}
			if h.Type == ipc.TypeLook && !d.looking {
				continue
			}
			d.last = h
			out = append(out, describe(d.t, h, m))
		}
	}
}

// describe makes a line of a message: generation, slot, what.
func describe(t testing.TB, h ipc.Header, m ipc.Message) string {
	what := h.Type.String()
	switch m := m.(type) {
	case ipc.Hello:
		what = fmt.Sprintf("hello landlock=%d ours=%v", m.Landlock, m.Build == ipc.Build())
	case ipc.Advertise:
		var a wire.Advertisement
		problem := wire.Parse(m.Message, ours, wire.GroupIPv4, &a)
		if problem == wire.ProblemLength || problem == wire.ProblemChecksum {
			problem = wire.Parse(m.Message, ours6, wire.GroupIPv6, &a)
		}
		if problem != wire.NoProblem {
			t.Errorf("advertisement: %v", problem)
		}
		what = fmt.Sprintf("advertise v%d vrid=%d priority=%d every %v %v", a.Version, a.VRID, a.Priority, a.AdverInterval, a.Addresses)
	case ipc.Announce:
		what = fmt.Sprintf("announce %d+%d", m.First, m.Count)
	case report.StateChange:
		what = fmt.Sprintf("%v->%v %v", m.From, m.To, m.Reason)
		if m.Verdict != report.VerdictNone && m.Verdict != report.VerdictAlone {
			what += fmt.Sprintf(" %v of %v", m.Verdict, m.Peer)
			if m.Count > 0 {
				what += fmt.Sprintf(": %d %v", m.Count, m.Drop)
			}
		} else if m.Peer.IsValid() {
			what += fmt.Sprintf(" %v/%d", m.Peer, m.Priority)
		}
	case ipc.Look:
		if m.Peer.IsValid() {
			what += fmt.Sprintf(" for %v", m.Peer)
		}
	case report.Looked:
		what += ": " + m.Hint
		if m.Peer.IsValid() {
			what = fmt.Sprintf("%v answers=%v arrive=%d takeovers=%d, %s", m.Peer, m.Answers, m.Arrive, m.Takeovers, what)
		}
	case report.Dropped:
		what = fmt.Sprintf("dropped %v link=%d vrid=%d from %v: %d", m.Reason, m.Link, m.VRID, m.Source, m.Count)
	case ipc.Mark:
		what = fmt.Sprintf("mark from %v: %d", m.Source, m.Sequence)
	case report.Noticed:
		what = fmt.Sprintf("noticed %v link=%d vrid=%d from %v: %d of %d", m.Notice, m.Link, m.VRID, m.Source, m.Count, m.Total)
		if m.Plain+m.Pseudo > 0 {
			what += fmt.Sprintf(", plain %d, pseudo-header %d", m.Plain, m.Pseudo)
		}
	}
	if h.Slot == ipc.NoSlot {
		return fmt.Sprintf("g%d %s", h.Generation, what)
	}
	return fmt.Sprintf("g%d s%d %s", h.Generation, h.Slot, what)
}

// expect compares what the process said.
func (d *parent) expect(what string, got []string, want ...string) {
	d.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// drained answers the Drain that was said last.
func (d *parent) drained() {
	d.t.Helper()
	if d.last.Type != ipc.TypeDrain {
		d.t.Fatalf("last said: %v, want drain", d.last.Type)
	}
	d.say(ipc.Header{Slot: ipc.NoSlot, Generation: d.generation, Sequence: d.last.Sequence}, ipc.Result{Request: ipc.TypeDrain, Code: ipc.CodeDone})
}

// record is a virtual router of the tests: VRID 7, priority 100.
func record() ipc.Router {
	return ipc.Router{
		Link: 0, Family: ipc.IPv4, Version: 2, VRID: 7, Priority: 100, AdverInterval: second, PreemptMode: true,
		AnnounceRepeat: 1, AnnounceDelay: 5 * second, Addresses: []netip.Addr{virtual},
	}
}

// record6 is its twin in IPv6, on a link of its own.
func record6() ipc.Router {
	r := record()
	r.Link, r.Family, r.Version, r.Addresses = 6, ipc.IPv6, 3, virtual6
	return r
}

var linkUp6 = ipc.LinkState{Link: 6, Up: true, Primary: ours6}

var linkUp = ipc.LinkState{Link: 0, Up: true, Primary: ours}

// configured brings a process with one router up to Backup.
func configured(t testing.TB, r ipc.Router) *parent {
	t.Helper()
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r, linkUp, ipc.Commit{Routers: 1})
	d.expect("configured", d.turn(), "g1 ready", "g1 s0 initialize->backup startup")
	return d
}

// The router's Active_Down_Interval in Backup with priority 100.
const downInterval = 3*second + 156*second/256

// active brings a process with one router up to Active.
func active(t testing.TB, r ipc.Router) *parent {
	t.Helper()
	d := configured(t, r)
	d.now = d.p.next()
	d.expect("due", d.turn(), "g1 drain")
	d.drained()
	if got := d.turn(); len(got) != 4 {
		t.Fatalf("takeover: %q", got)
	}
	return d
}

// good is an advertisement the tests' router accepts.
func good(priority uint8) wire.Advertisement {
	return wire.Advertisement{Version: 2, VRID: 7, Priority: priority, AdverInterval: time.Second, Addresses: []netip.Addr{virtual}}
}

// packet puts an IPv4 header before a message.
func packet(src netip.Addr, message []byte) []byte {
	b := []byte{0x45, 0xc0, 0, 0, 0, 0, 0, 0, wire.TTL, wire.Protocol, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(message)))
	b = append(append(b, src.AsSlice()...), wire.GroupIPv4.AsSlice()...)
	return append(b, message...)
}

func advertisement(src netip.Addr, a wire.Advertisement) []byte {
	return packet(src, wire.Append(nil, &a, src, wire.GroupIPv4))
}

// good6 is an advertisement the tests' IPv6 router accepts.
func good6(priority uint8) wire.Advertisement {
	return wire.Advertisement{Version: 3, VRID: 7, Priority: priority, AdverInterval: time.Second, Addresses: virtual6}
}

// packet6 puts an IPv6 header before a message.
func packet6(src netip.Addr, message []byte) []byte {
	b := []byte{0x6c, 0, 0, 0, 0, 0, wire.Protocol, wire.TTL}
	binary.BigEndian.PutUint16(b[4:], uint16(len(message)))
	b = append(append(b, src.AsSlice()...), wire.GroupIPv6.AsSlice()...)
	return append(b, message...)
}

func advertisement6(src netip.Addr, a wire.Advertisement) []byte {
	return packet6(src, wire.Append(nil, &a, src, wire.GroupIPv6))
}

// frame6 forwards an IPv6 packet that arrives now.
func (d *parent) frame6(packet []byte) {
	d.t.Helper()
	d.send(ipc.Frame{Link: 6, Family: ipc.IPv6, Received: d.now, Packet: packet})
}

// configured6 brings a process with one IPv6 router up to Backup.
func configured6(t testing.TB, r ipc.Router) *parent {
	t.Helper()
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r, linkUp6, ipc.Commit{Routers: 1})
	d.expect("configured", d.turn(), "g1 ready", "g1 s0 initialize->backup startup")
	return d
}
