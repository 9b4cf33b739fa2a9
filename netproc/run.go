package netproc

import (
	"errors"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

const never = int64(math.MaxInt64)

// Options are what the process is started with.
type Options struct {
	// Control and Frames are the lanes to the parent.
	Control, Frames *ipc.Conn
	// Landlock is the Landlock ABI in force, 0 for none, for the parent's log.
	Landlock int
}

// errStopped ends the loop in order.
var errStopped = errors.New("stopped")

// process is the state of the network process. Instants are CLOCK_MONOTONIC
// in nanoseconds.
type process struct {
	control, frames *ipc.Conn
	clock           func() int64
	wall            func() time.Time // for the HMAC trailer alone
	now             int64
	phase           ipc.Phase

	// Functions made once: see poller and sendDatagram.
	poll    func(events int16, frames int, timeout time.Duration) (ready, error)
	deliver func([]byte) error

	out      ipc.Batch // this turn's messages
	sequence uint32

	configuration
	staged    *staging
	adverts   deadlines // Adver_Timers and second announcements
	takeovers deadlines // Active_Down_Timers
	drain     drain
	missed    int64    // what arrived by then may have been lost
	sniffer   *sniffer // shows packets instead; nil: does not
	outboxes  map[ipc.Link]*outbox
	waiting   []*outbox // in which something waits
	looks     map[ipc.Link]*look
	lookEnded bool // one of them

	unread  bool // the frames lane was not read to its end
	refused [ipc.CodeKernel + 1]uint64
	drops   [report.NumDrops]counter
	notices [report.NumNotices]counter
	steps   clockWatch // of the wall clock
	bare    bool       // the advertisement has no HMAC trailer, and could have one
	named   []subject  // who was reported as unsigned since the last regular report

	// Memory that is used again.
	buf     []byte
	advert  wire.Advertisement
	actions []engine.Action
	trailed ipc.Advertise
	marked  ipc.Mark
}

// Run serves the parent until it says Stop (nil), goes away (nil), or breaks
// the rules (an error). It locks its goroutine to its thread.
func Run(o Options) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := newProcess(o.Control, o.Frames, ipc.Monotonic)
	p.send(ipc.NoSlot, ipc.Hello{Build: ipc.Build(), Landlock: uint8(min(max(o.Landlock, 0), math.MaxUint8))})
	err := p.flush()
	for err == nil {
		var r ready
		if r, err = p.wait(); err == nil {
			err = p.turn(r)
		}
	}
	switch {
	case errors.Is(err, errStopped):
		return p.finish()
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

func newProcess(control, frames *ipc.Conn, clock func() int64) *process {
	p := &process{
		control: control, frames: frames, clock: clock, wall: time.Now, now: clock(), phase: ipc.PhaseHello,
		outboxes: make(map[ipc.Link]*outbox), poll: poller(control.FD()), drain: newDrain(), missed: math.MinInt64, buf: make([]byte, ipc.MaxDatagram),
	}
	p.deliver = p.sendDatagram
	return p
}

// wait waits for a message or the next deadline, with ppoll: netpoll would
// round to a millisecond. Frames wait in their lane until the configuration
// runs; without it nobody could say whether they matter.
func (p *process) wait() (ready, error) {
	frames := -1
	if p.phase == ipc.PhaseRun {
		frames = p.frames.FD()
	}
	return p.poll(pollIn, frames, p.timeout(p.clock()))
}

// turn deals with everything that has come or is due.
func (p *process) turn(r ready) error {
	p.now = p.clock()
	if r.control {
		if err := p.hear(); err != nil {
			return err
		}
		// Frames that the parent sent before what it has just said.
		r.frames = true
	}
	if (r.frames || p.unread) && p.phase == ipc.PhaseRun {
		if err := p.receive(); err != nil {
			return err
		}
	}
	if p.lookEnded && !p.unread {
		p.judgeLooks()
	}
	p.fire()
	p.leaveAll()
	return p.flush()
}

// flush hands this turn's messages to the parent.
func (p *process) flush() error { return p.out.Flush(p.deliver) }

// sendDatagram waits for room: the parent reads always, nothing is ever left
// out, and without the parent there is nothing to do. It returns io.EOF when
// the parent is gone.
func (p *process) sendDatagram(b []byte) error {
	for {
		err := p.control.Send(b)
		if errors.Is(err, io.ErrClosedPipe) {
			return io.EOF
		}
		if !errors.Is(err, ipc.ErrAgain) {
			return err
		}
		if _, err := p.poll(pollOut, -1, -1); err != nil {
			return err
		}
	}
}

// finish hands over every virtual router, and reports what was counted since
// the last reports.
func (p *process) finish() error {
	for _, r := range p.routers {
		if r != nil {
			p.step(r, p.now, engine.Shutdown{})
		}
	}
	p.reportRest()
	if err := p.flush(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// send puts a numbered message into this turn's batch. Zero is not a number:
// the parent uses it for what it says unasked.
func (p *process) send(s ipc.Slot, m ipc.Message) (sequence uint32) {
	if p.sequence++; p.sequence == 0 {
		p.sequence++
	}
	p.out.Add(ipc.Header{Slot: s, Generation: p.generation, Sequence: p.sequence}, m)
	return p.sequence
}
