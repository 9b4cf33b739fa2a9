package netproc

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
	"golang.org/x/sys/unix"
)

const never = int64(math.MaxInt64)

// Options are what the process is started with.
type Options struct {
	// Control and Frames are the lanes to the parent.
	Control, Frames *ipc.Conn
	// Landlock is the Landlock ABI in force, for the parent's log.
	Landlock int
}

// errStopped ends the loop in order.
var errStopped = errors.New("stopped")

// process is the state of the network process.
type process struct {
	control, frames *ipc.Conn
	out             ipc.Batch // this turn's messages
	phase           ipc.Phase
	generation      uint32
	sequence        uint32
	now             int64

	links    []ipc.LinkState
	routers  []*router // by slot; nil where there is none
	byVRID   map[key]*router
	staged   map[ipc.Slot]ipc.Router
	restored map[ipc.Slot]bool

	adverts   deadlines // Adver_Timers and announcements
	takeovers deadlines // Active_Down_Timers
	drain     drain

	drops   [ipc.NumDrops]dropped
	buf     []byte
	advert  wire.Advertisement // the one being received
	message ipc.Advertise      // the one being sent
	actions []engine.Action
}

// Run serves the parent until it says Stop (nil), goes away (nil), or breaks
// the rules (an error).
func Run(o Options) error {
	p := newProcess(o.Control, o.Frames)
	hello := ipc.Hello{Build: ipc.Build(), Landlock: uint8(o.Landlock)}
	p.out.Add(ipc.Header{Slot: ipc.NoSlot}, hello)
	if err := p.flush(); err != nil {
		return err
	}
	for {
		if err := p.wait(); err != nil {
			return err
		}
		switch err := p.turn(ipc.Monotonic()); {
		case err == nil:
		case errors.Is(err, errStopped):
			return p.finish()
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

func newProcess(control, frames *ipc.Conn) *process {
	return &process{
		control: control, frames: frames, phase: ipc.PhaseHello,
		byVRID: make(map[key]*router), staged: make(map[ipc.Slot]ipc.Router), restored: make(map[ipc.Slot]bool),
		drain: drain{through: math.MinInt64}, buf: make([]byte, ipc.MaxDatagram),
	}
}

// wait waits for a message or the next deadline.
func (p *process) wait() error {
	fds := [2]unix.PollFd{{Fd: int32(p.control.FD()), Events: unix.POLLIN}, {Fd: int32(p.frames.FD()), Events: unix.POLLIN}}
	timeout := time.Duration(-1)
	if next := p.next(); next != never {
		timeout = max(0, time.Duration(next-ipc.Monotonic()))
	}
	_, err := ipc.Wait(fds[:], timeout)
	return err
}

// turn deals with everything that has come or is due at the instant now: what
// the parent says first, then packets, then deadlines. So a packet that the
// parent forwarded before it answered a Drain is seen before the deadline.
func (p *process) turn(now int64) error {
	p.now = now
	if err := p.hear(); err != nil {
		return err
	}
	if err := p.receive(); err != nil {
		return err
	}
	p.fire()
	return p.flush()
}

// flush hands this turn's messages to the parent.
func (p *process) flush() error { return p.out.Flush(p.send) }

// send waits for room: the parent reads always, and without it there is
// nothing to do.
func (p *process) send(datagram []byte) error {
	for {
		err := p.control.Send(datagram)
		switch {
		case errors.Is(err, io.ErrClosedPipe):
			return io.EOF
		case !errors.Is(err, ipc.ErrAgain):
			return err
		}
		if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(p.control.FD()), Events: unix.POLLOUT}}, -1); err != nil {
			return err
		}
	}
}

// finish hands over every virtual router.
func (p *process) finish() error {
	for _, r := range p.routers {
		if r != nil {
			p.step(r, p.now, engine.Shutdown{})
		}
	}
	return p.flush()
}

// hear reads the control lane until it is empty.
func (p *process) hear() error {
	for {
		n, err := p.control.Recv(p.buf)
		if errors.Is(err, ipc.ErrAgain) {
			return nil
		} else if err != nil {
			return err
		}
		for rest := p.buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				return err
			}
			if err := ipc.Check(h, len(payload), ipc.FromParent, ipc.LaneControl, p.phase); err != nil {
				return err
			}
			m, err := ipc.Decode(h.Type, payload)
			if err != nil {
				return err
			}
			if err := p.told(h, m); err != nil {
				return err
			}
		}
	}
}

// told acts on one message of the parent.
func (p *process) told(h ipc.Header, m ipc.Message) error {
	switch m := m.(type) {
	case ipc.Hello:
		if m.Build != ipc.Build() {
			return fmt.Errorf("parent is build %q, this is %q", m.Build, ipc.Build())
		}
		p.phase = ipc.PhaseConfigure
	case ipc.Router:
		p.staged[h.Slot] = m
	case ipc.Restore:
		p.restored[h.Slot] = true
	case ipc.LinkState:
		return p.link(m)
	case ipc.Commit:
		return p.commit(h, m)
	case ipc.Result:
		p.result(h, m)
	case ipc.Stop:
		return errStopped
	default:
		return fmt.Errorf("parent sent a %v", h.Type)
	}
	return nil
}

// result acts on what the parent did not simply do. A Drain is always
// answered. A request that was stale or came too often is not repeated: the
// next event will ask again.
func (p *process) result(h ipc.Header, m ipc.Result) {
	if m.Request == ipc.TypeDrain {
		p.drain.answered(h.Sequence)
		return
	}
	r := p.at(h.Slot)
	if r == nil {
		return
	}
	switch {
	case m.Request == ipc.TypeAcquire && h.Sequence == r.acquired && m.Code != ipc.CodeStale:
		p.step(r, p.now, engine.Refused{})
	case m.Request == ipc.TypeRelease && m.Code == ipc.CodeNotHeld && h.Sequence == 0:
		p.step(r, p.now, engine.Revoked{}) // the parent took them back unasked
	}
}

// at returns the router of a slot, nil where there is none.
func (p *process) at(s ipc.Slot) *router {
	if int(s) >= len(p.routers) {
		return nil
	}
	return p.routers[s]
}
