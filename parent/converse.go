package parent

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// backOff is how long the parent waits before it starts a child again: not at
// all after a first crash, so that an Active goes on before any peer's timer
// runs out. Crashes are counted over crashWindow; one more than the list
// holds ends the daemon.
var backOff = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second}

const crashWindow = int64(time.Minute)

// converse reads what the child says, as far as it has said it.
func (d *daemon) converse() error {
	for d.child != nil {
		n, err := d.child.control.Recv(d.datagram)
		switch {
		case errors.Is(err, ipc.ErrAgain):
			return nil
		case errors.Is(err, io.EOF):
			return d.buried()
		case err != nil:
			return d.violated(err)
		}
		for rest := d.datagram[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				return d.violated(err)
			}
			if err = d.heard(h, payload); err != nil {
				return d.violated(err)
			}
			if d.child == nil {
				return nil
			}
		}
	}
	return nil
}

// heard judges one message by the table, reads it, and acts on it. Every
// error is the child's violation, but for those that say our own walls do
// not stand.
func (d *daemon) heard(h ipc.Header, payload []byte) error {
	if err := ipc.Check(h, len(payload), ipc.FromChild, ipc.LaneControl, d.child.phase); err != nil {
		return err
	}
	m, err := ipc.Decode(h.Type, payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case ipc.Hello:
		return d.greet(m)
	case ipc.Ready:
		if d.child.phase == ipc.PhaseConfigure { // a Ready after Stop must not undo it
			d.child.phase, d.child.deadline = ipc.PhaseRun, never
		}
		d.log.Info("ready", "routers", len(d.slots), "generation", h.Generation)
		return nil
	case ipc.StateChange:
		return d.report(h, m)
	case ipc.Dropped:
		return d.dropped(m)
	default:
		return d.request(h, m)
	}
}

// report logs a transition: one line, with its reason.
func (d *daemon) report(h ipc.Header, m ipc.StateChange) error {
	if int(h.Slot) >= len(d.slots) {
		return &violation{reason: "state change of a slot that was not granted"}
	}
	s := d.slots[h.Slot]
	if !s.report.take(d.now) {
		return nil
	}
	args := []any{"vr", s.name, "reason", m.Reason.String()}
	if m.Peer.IsValid() {
		args = append(args, "peer", m.Peer, "priority", m.Priority)
	}
	d.log.Info(m.From.String()+"->"+m.To.String(), args...)
	return nil
}

// dropped logs a report of discarded packets.
func (d *daemon) dropped(m ipc.Dropped) error {
	if int(m.Link) >= len(d.links) {
		return &violation{reason: "report on a link that does not exist"}
	}
	if d.child.reports.take(d.now) {
		d.log.Warn("packets dropped", "link", d.links[m.Link].linkName, "reason", m.Reason.String(),
			"source", m.Source, "vrid", m.VRID, "count", m.Count)
	}
	return nil
}

// violated ends the daemon: the child has done what no honest child does.
func (d *daemon) violated(err error) error {
	ws := d.end()
	d.log.Error("network process killed", "status", describe(ws))
	return err
}

// buried deals with a child that has ended: in order after Stop, by a
// forbidden system call (a violation), or by a crash, after which a fresh
// one goes on where it was.
func (d *daemon) buried() error {
	phase := d.child.phase
	ws := d.end()
	switch {
	case phase == ipc.PhaseStop && ws.Exited() && ws.ExitStatus() == 0:
		return errStopped
	case ws.Signaled() && ws.Signal() == unix.SIGSYS:
		return &violation{reason: "the network process used a forbidden system call"}
	case phase == ipc.PhaseStop:
		return fmt.Errorf("network process ended while stopping: %s", describe(ws))
	case phase != ipc.PhaseRun && len(d.crashes) == 0:
		return fmt.Errorf("network process did not start: %s", describe(ws))
	}
	for len(d.crashes) > 0 && d.crashes[0] < d.now-crashWindow {
		d.crashes = d.crashes[1:]
	}
	if len(d.crashes) == len(backOff) {
		return fmt.Errorf("network process crashed %d times in a minute: %s", len(d.crashes)+1, describe(ws))
	}
	wait := backOff[len(d.crashes)]
	d.crashes = append(d.crashes, d.now)
	d.log.Error("network process crashed", "status", describe(ws), "again", wait)
	d.outgoing = ipc.Batch{}
	d.respawn = d.now + int64(wait)
	return nil
}

// describe says how a process ended.
func describe(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}
