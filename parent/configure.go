package parent

import (
	"runtime/debug"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

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
	d.keeper.Name(d.names())
	routers := uint16(0)
	for _, s := range present(d.slots) {
		r := s.record()
		r.Ownership = s.ownership
		r.StartupDelay = int64(s.start.left(s.startupDelay, d.child.phase == ipc.PhaseConfigure, d.now))
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

// names are those of the links and of the slots, for what is said of them.
func (d *daemon) names() (all []keeping.Names) {
	for i := 0; i < max(len(d.links), len(d.slots)); i += keeping.MaxNames {
		n := keeping.Names{Generation: d.generation, Links: make(map[ipc.Link]string), Slots: make(map[ipc.Slot]keeping.Slot)}
		for _, l := range d.links[min(i, len(d.links)):min(i+keeping.MaxNames, len(d.links))] {
			n.Links[l.id] = l.linkName.String()
		}
		for _, s := range present(d.slots[min(i, len(d.slots)):min(i+keeping.MaxNames, len(d.slots))]) {
			l := d.links[s.link].linkName
			n.Slots[s.slot] = keeping.Slot{Name: s.name, Interface: l.name, Link: l.String()}
		}
		all = append(all, n)
	}
	return all
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
