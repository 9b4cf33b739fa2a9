package parent

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"golang.org/x/sys/unix"
)

// backOff is how long the parent waits before it starts a child again: not at
// all after a first crash, so that an Active goes on before any peer's timer
// runs out, and later where a lease would end meanwhile: then only from the
// patientCrashes'th on. Crashes are counted over crashWindow; one more than the
// list holds ends the daemon.
var backOff = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second}

const (
	crashWindow    = int64(time.Minute)
	patientCrashes = 3
	// respawnTime is what a child takes to advertise again, and a bit, ns.
	respawnTime = int64(10 * time.Millisecond)
)

// hearMax bounds the messages heard in one turn, but for those of the last
// datagram, and with them what is answered: whatever the child says, signals,
// packets and leases have theirs. The rest waits in the lane.
const hearMax = 1024

// hearTime is how long leases wait for what the child has said and we have not heard, ns:
// where we did not run for a while that is more than a turn has room for, of a thousand
// virtual routers thousands of advertisements. It may talk without end, and so put off
// their end for so long; what the kernel holds for their end it does not put off.
const hearTime = int64(3 * time.Second)

// converse reads what the child says, as far as it has said it and a turn
// has room for it.
func (d *daemon) converse() error {
	for heard := 0; d.child != nil && heard < hearMax; {
		n, err := d.child.Control.Recv(d.datagram)
		switch {
		case errors.Is(err, ipc.ErrAgain):
			d.unheard = 0
			return nil
		case errors.Is(err, io.EOF):
			return d.buried()
		case err != nil:
			return d.violated(err)
		}
		d.now, d.heart.heard = ipc.Monotonic(), true
		for rest := d.datagram[:n]; len(rest) > 0; heard++ {
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
	if d.unheard == 0 {
		d.unheard = d.now
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
	switch h.Type {
	case ipc.TypeStateChange, ipc.TypeLooked, ipc.TypeDropped, ipc.TypeNoticed:
		return d.reported(h, payload)
	}
	m, err := ipc.Decode(h.Type, payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case ipc.Hello:
		return d.greet(m)
	case ipc.Ready:
		return d.readied(h)
	case ipc.Mark:
		return d.marked(h, m)
	case ipc.Ping: // it lives, as everything says that comes from it
		if d.heart.owed > 0 { // or it would be dear to hear again and again
			d.answered()
		}
		return nil
	default:
		return d.request(h, m)
	}
}

// readied hears that the child runs the configuration that it was told: once for
// each, for what follows is dear.
func (d *daemon) readied(h ipc.Header) error {
	if !d.child.told || h.Generation != d.generation {
		return &violation{reason: "ready, and nobody waits for that"}
	}
	d.child.told = false
	if d.child.phase == ipc.PhaseConfigure { // a Ready after Stop must not undo it
		d.child.phase, d.child.deadline = ipc.PhaseRun, never
		d.readyBy = d.now + readyTime
		d.log.Info("ready", "generation", h.Generation)
	}
	d.begin()
	d.shed()
	if d.old != nil {
		d.finish()
	}
	if d.pending {
		d.reload()
	}
	return nil
}

// reported hands a report of the child on to the keeper, which reads it.
func (d *daemon) reported(h ipc.Header, payload []byte) error {
	s := d.behind(d.pageOf(h))
	switch {
	case h.Slot == ipc.NoSlot: // it begins with a link
		if int(payload[0])|int(payload[1])<<8 >= len(d.links) {
			return &violation{reason: "report on a link that does not exist"}
		}
	case s == nil:
		return &violation{reason: h.Type.String() + " of a slot that was not granted"}
	case h.Type == ipc.TypeStateChange:
		s.reached, s.start.over = true, true
		d.changedSoon()
		if s.partlySince != 0 { // who answers for what the interface itself has is another now
			d.links[s.link].lookAt(d.now)
		}
	}
	d.keeper.Report(h, payload)
	return nil
}

// readyTime is how long the first states may take that are delayed on purpose.
const readyTime = int64(5 * time.Second)

// tellReady says once that every virtual router has its first state. One whose
// link is not there yet has: it waits.
func (d *daemon) tellReady() {
	if d.onReady == nil || d.child == nil || d.child.phase != ipc.PhaseRun {
		return
	}
	for _, s := range d.slots {
		if s != nil && !s.reached && s.ownership != ipc.OwnsSome && d.links[s.link].told.Up && d.now < d.readyBy {
			return
		}
	}
	d.manager.tell("READY=1")
	d.tellStatus()
	d.onReady()
	d.onReady = nil
}

// violated ends the daemon: the child has done what no honest child does.
func (d *daemon) violated(err error) error {
	e := d.end()
	d.log.Error("network process killed", "status", e.String())
	if errors.As(err, new(unfit)) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrViolation, err)
}

// unheardOf ends the daemon for what the keeper says, or because there is none.
func (d *daemon) unheardOf(err error) error {
	switch {
	case !errors.As(err, new(logger.Violation)):
		return err
	case d.child == nil:
		return fmt.Errorf("%w: %w", ErrViolation, err)
	}
	return d.violated(err)
}

// buried deals with a child that has ended: in order after Stop, by a
// forbidden system call (a violation), or by a crash, after which a fresh
// one goes on where it was.
func (d *daemon) buried() error {
	phase := d.child.phase
	e := d.end()
	if d.old != nil {
		d.finish()
	}
	switch {
	case phase == ipc.PhaseStop && (d.lost != nil || e.Exited() && e.ExitStatus() == 0):
		return errStopped
	case d.lost != nil:
		return d.bereft()
	case e.Signaled() && e.Signal() == unix.SIGSYS:
		return fmt.Errorf("%w: the network process used a forbidden system call", ErrViolation)
	case phase == ipc.PhaseStop:
		return fmt.Errorf("network process ended while stopping: %v", e)
	case phase == ipc.PhaseHello && e.Struck() && d.struck < children.StruckTries:
		d.struck++
		return d.spawn()
	case phase != ipc.PhaseRun && len(d.crashes) == 0:
		return fmt.Errorf("network process did not start: %v", e)
	}
	for len(d.crashes) > 0 && d.crashes[0] < d.now-crashWindow {
		d.crashes = d.crashes[1:]
	}
	if len(d.crashes) == len(backOff) {
		return fmt.Errorf("network process crashed %d times in a minute: %v", len(d.crashes)+1, e)
	}
	wait := d.patience(backOff[len(d.crashes)])
	d.crashes = append(d.crashes, d.now)
	d.log.Error("network process crashed", "status", e.String(), "again", wait)
	d.outgoing.Wipe()
	d.respawn = d.now + int64(wait)
	return nil
}

// patience is how much of a back-off the leases allow, all of it in a loop.
func (d *daemon) patience(wait time.Duration) time.Duration {
	lost := slices.ContainsFunc(d.slots, func(s *slot) bool {
		return s != nil && s.held && s.expires < d.now+int64(wait)+respawnTime
	})
	if lost && len(d.crashes) < patientCrashes {
		return 0
	}
	return wait
}
