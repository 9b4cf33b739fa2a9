package parent

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// TestPrepareUnlocks: a reload that fails after it has locked new interfaces
// leaves them to others, their state, too, and keeps those it had.
func TestPrepareUnlocks(t *testing.T) {
	was := runDir
	runDir = t.TempDir()
	defer func() { runDir = was }()
	d := fuzzed()
	d.kernel, d.marks, d.locks, d.forwarder = kernel.Over(-1), true, map[string]*os.File{}, frames.NewForwarder(d.log)
	d.stateDir, d.stateLocks = t.TempDir(), map[string]*os.File{}
	for _, s := range d.slots {
		d.links[s.link].slots = append(d.links[s.link].slots, s)
	}
	d.show()
	if _, err := d.lockLinks(d.slots); err != nil {
		t.Fatal(err)
	}
	for _, l := range d.links {
		l.index = 1 << 30 // no socket can join a group there
		if err := d.forwarder.Join(l.index, l.family, l.id); err != nil {
			t.Fatal(err)
		}
	}
	c := &conf.Config{Routers: []conf.Router{
		{VRID: 7, Version: 3, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.254")}}},
		{VRID: 7, Version: 3, Interface: "eth7", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.253")}}},
	}}
	c.Routers[0].Auth, c.Routers[0].HMAC = conf.AuthHMAC, &conf.HMAC{ActiveKey: 1, AntiReplay: "monotonic", Window: time.Minute, Mode: "enforce"}
	slots, generation := len(d.slots), d.generation
	if err := d.prepare(reread{config: c}); err == nil {
		t.Fatal("prepared without sockets")
	}
	files, err := os.ReadDir(runDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name()[strings.Index(f.Name(), ".")+1:])
	}
	if got := strings.Join(names, " "); got != "eth0.lock eth1.lock" || len(d.locks) != 2 {
		t.Errorf("locked: %s (%d)", got, len(d.locks))
	}
	if kept, err := os.ReadDir(d.stateDir); len(d.stateLocks) != 0 || len(kept) == 0 || err != nil {
		t.Errorf("state locked: %d, %v, %v", len(d.stateLocks), kept, err)
	}
	if len(d.slots) != slots || d.old != nil || d.generation != generation || d.find(ipc.Link(0), 7) == nil {
		t.Error("something has changed")
	}
}

// TestInheritPage: a slot that is made anew goes on with all of the ledger's
// page; a device that was to be set down still is, unless the slot takes its
// addresses before.
func TestInheritPage(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	o := d.slots[0]
	s := newSlot(&o.grant)
	o.index, o.own, o.lowering = 12, true, true
	d.lowering = []*page{&d.slots[1].page, &o.page}
	d.inheritSlot(s, o)
	if s.index != 12 || !s.own || s.held || !s.lowering || d.lowering[1] != &s.page || d.lowering[0] != &d.slots[1].page {
		t.Errorf("%+v; to be set down: %v", s, d.lowering)
	}
	o, s = d.slots[1], newSlot(&d.slots[1].grant)
	o.expires, o.prolonged, o.wears, o.reached, o.reasserted = 5, 4, true, true, 3
	d.inheritSlot(s, o)
	if !s.held || len(s.placed) == 0 || s.expires != 5 || s.prolonged != 4 || !s.wears || !s.reached || s.reasserted != 3 {
		t.Errorf("%+v", s)
	}
}

// TestBequeath: an address that another slot on the same device is to have is
// not taken off, and is on that one's page; others are nobody's.
func TestBequeath(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	a, b := d.slots[0], d.slots[1] // of one link
	a.device, a.own, b.device, b.own = "", false, "", false
	a.index, b.index, a.held, b.held = 3, 3, true, true
	a.placed = d.place(&a.page)
	x, y := a.placed[0], a.placed[1]
	b.addrs = append(b.addrs, a.addrs[0])
	a.addrs = a.addrs[1:]
	nobodys, heirs := d.bequeath(&a.page, []vaddr{x})
	if len(nobodys) != 0 || len(heirs) != 1 || heirs[0] != &b.page || !has(b.placed, x) {
		t.Errorf("nobody's: %v, heirs: %d, placed: %v", nobodys, len(heirs), b.placed)
	}
	for name, change := range map[string]func(){
		"another device": func() { b.index = 4 }, "not held": func() { b.held = false }, "by ioctl": func() { b.ioctl = true },
	} {
		b.index, b.held, b.ioctl = 3, true, false
		change()
		nobodys, heirs = d.bequeath(&a.page, []vaddr{x})
		if len(nobodys) != 1 || len(heirs) != 0 {
			t.Errorf("%s: nobody's: %v, heirs: %d", name, nobodys, len(heirs))
		}
	}
	b.index, b.held, b.ioctl = 3, true, false
	if nobodys, _ = d.bequeath(&a.page, []vaddr{y}); len(nobodys) != 1 || nobodys[0] != y {
		t.Errorf("nobody's: %v", nobodys)
	}
}

// midReload is a daemon whose child has not taken over the next generation,
// in which a slot that is held is another.
func midReload(t *testing.T) (d *daemon, o, s *slot) {
	t.Helper()
	d, _, _ = besieged(t)
	d.dump = func() ([]facts.Link, []facts.Address, error) { return nil, nil, nil }
	d.old, o = d.slots, d.slots[1]
	s = newSlot(&o.grant)
	next := slices.Clone(d.slots)
	next[1] = s
	d.adopt(next)
	return d, o, s
}

// TestUnderWay: while a reload is under way what is held is on the old slots'
// pages: their leases end all the same, routes stay, and nothing is done to
// links before the end.
func TestUnderWay(t *testing.T) {
	t.Parallel()
	d, o, s := midReload(t)
	o.expires = d.now + 1
	if d.expireLeases(); d.leaseCheck != o.expires {
		t.Errorf("next look at leases: %d, want %d", d.leaseCheck, o.expires)
	}
	d.routes, d.routed = []staticRoute{{granted: true}}, true
	if d.tellActive(); !d.routed {
		t.Error("the keeper is told that nobody is Active")
	}
	d.dump = func() ([]facts.Link, []facts.Address, error) { t.Error("links looked at"); return nil, nil, nil }
	d.resyncAgain, d.links[0].again = d.now, d.now
	if err := d.watch(false); err != nil || d.resyncAgain != 0 || d.links[0].again != 0 {
		t.Errorf("%v; looked at again: %d, %d", err, d.resyncAgain, d.links[0].again)
	}
	d.now = o.expires
	if d.expireLeases(); o.held || d.leaseCheck != never {
		t.Errorf("held: %v, next look at leases: %d", o.held, d.leaseCheck)
	}
	if d.inheritSlot(s, o); s.held {
		t.Error("held by the next")
	}
}

// TestReadyAfterStop: a child that is ready for the next generation when it is
// to stop has no more time for that.
func TestReadyAfterStop(t *testing.T) {
	t.Parallel()
	d, _, _ := midReload(t)
	deadline := d.now + stopTime
	d.child.phase, d.child.deadline = ipc.PhaseStop, deadline
	if d.finish(); d.old != nil || d.child.deadline != deadline {
		t.Errorf("deadline %d, want %d", d.child.deadline, deadline)
	}
}
