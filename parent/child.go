package parent

import (
	"runtime/debug"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// startTime is how long a child may take from its start to Ready.
	startTime = int64(5 * time.Second)
	// stopTime is how long it may take to hand over its slots and end.
	stopTime = int64(time.Second)
)

// child is the running network process; nil stands for none.
type child struct {
	*children.Child
	phase    ipc.Phase
	told     bool  // a configuration, and has not said Ready
	deadline int64 // by which the phase must have ended; never in PhaseRun
}

// excuse leaves out of a child's time what a turn of ours takes beyond a tenth of
// stopTime: the kernel may keep us waiting for an address for seconds, and the child waits for us. One
// that keeps us busy itself does so in short turns.
func (c *child) excuse(took int64) {
	if c != nil && c.deadline != never {
		c.deadline += max(0, took-stopTime/10)
	}
}

// configured says whether the child takes links and frames.
func (c *child) configured() bool { return c != nil && c.phase != ipc.PhaseHello }

// spawn has a child started.
func (d *daemon) spawn() error {
	c, err := d.spawner.Spawn(ipc.NetprocProgram)
	if err == nil {
		d.child = &child{Child: c, phase: ipc.PhaseHello, deadline: d.now + startTime}
	}
	return err
}

// end has the child killed and says how it ended.
func (d *daemon) end() children.Ending {
	e, err := d.spawner.End(d.child.Child)
	if err != nil { // and the child with it
		d.log.Error("network process lost", "error", err)
	}
	if e.Words != "" {
		d.log.Error("network process says", "words", e.Words) // one line, however many it makes of them
	}
	d.child = nil
	return e
}

// unfit is what is wrong with a child that has been told nothing yet: another
// program may be there the next time.
type unfit struct{ error }

// greet answers the child's Hello: same build, verified walls, and then the
// configuration.
func (d *daemon) greet(hello ipc.Hello) error {
	if err := d.spawner.Verify(d.child.Child, hello.Build); err != nil {
		return unfit{err}
	}
	d.log.Info("network process confined", "pid", d.child.PID, "landlock", hello.Landlock)
	d.child.phase = ipc.PhaseConfigure
	d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Hello{Build: ipc.Build()})
	d.configure()
	return nil
}

// configure tells the child the configuration; a fresh one also what is held.
func (d *daemon) configure() {
	routers := uint16(0)
	for _, s := range present(d.slots) {
		r := s.record()
		r.Ownership = s.ownership
		r.StartupDelay = int64(s.start.left(s.delays[1], d.child.phase == ipc.PhaseConfigure, d.now))
		d.send(ipc.Header{Slot: s.slot}, r)
		d.confide(s)
		if s.held && d.child.phase == ipc.PhaseConfigure {
			d.send(ipc.Header{Slot: s.slot}, ipc.Restore{})
		}
		routers++
	}
	for _, l := range d.links {
		d.send(ipc.Header{Slot: ipc.NoSlot}, l.told)
	}
	d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Commit{Routers: routers})
	d.child.told = true
}

// send puts a message on the control lane; it travels with the turn's batch.
// A child that has not said Hello hears nothing: it will be told everything.
func (d *daemon) send(h ipc.Header, m ipc.Message) {
	if !d.child.configured() {
		return
	}
	h.Generation = d.generation
	d.outgoing.Add(h, m)
}

// answer answers a request.
func (d *daemon) answer(h ipc.Header, request ipc.Type, code ipc.Code) {
	d.send(ipc.Header{Slot: h.Slot, Sequence: h.Sequence}, ipc.Result{Request: request, Code: code})
}

// shed gives back to the kernel what taking over a configuration has left, once the child
// has it: there may be secrets in it. Nobody waits for that.
func (d *daemon) shed() {
	if d.vault.Holds() {
		ipc.Scrub()
		go debug.FreeOSMemory()
	}
}

// confide tells the child the secrets of a slot, and what has been sent and
// heard: a fresh child, or router, goes on from there.
func (d *daemon) confide(s *slot) {
	for _, secret := range s.secrets {
		d.send(ipc.Header{Slot: s.slot}, secret)
		d.confided = true
	}
	for who, sequence := range s.marks {
		d.send(ipc.Header{Slot: s.slot}, ipc.Mark{Source: who.source, Key: who.key, Sequence: sequence})
	}
}
