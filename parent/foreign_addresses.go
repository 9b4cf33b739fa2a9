package parent

import (
	"net/netip"
	"slices"
	"syscall"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"golang.org/x/sys/unix"
)

// On an interface that is not our own device somebody else may make an address
// theirs, with "ip addr replace", in the very moment in which we remove it or
// prolong it: the kernel cannot be asked to do that only if it still is ours.
// And with the first address of a subnet it may remove all others of it. But
// it reports everything in the order in which it happened, and the addresses
// as they were. So what we have taken from somebody is given back.

// foreignAddresses follows the reports of addresses, from one look at the monitor to the
// next. What the kernel had no room to report cannot be given back.
type foreignAddresses struct {
	port    uint32             // of the socket of our requests
	armed   bool               // we have removed or prolonged something
	removed []placed           // by us, and they were there
	along   []placed           // ours that the kernel has removed with one of these
	changed map[placed]addrMsg // as somebody else has made them
	lost    map[placed]addrMsg // and as they were before we took them
}

// placed is an address with its length on an interface, addrMsg the body of
// the kernel's message about it.
type (
	placed struct {
		index  int
		prefix netip.Prefix
	}
	addrMsg = []byte
)

// withdraw takes addresses off an interface that is not our own device.
func (b *broker) withdraw(dev int, addrs []vaddr) error {
	b.foreignAddresses.armed = true
	removed, err := b.kernel.Withdraw(dev, addrs)
	for _, p := range removed {
		b.foreignAddresses.removed = append(b.foreignAddresses.removed, placed{dev, p})
	}
	return err
}

// follow reads reports. A takeover of a thousand addresses makes thousands.
func (t *foreignAddresses) follow(reports []syscall.NetlinkMessage) {
	if !t.armed {
		return
	}
	for _, m := range reports {
		if m.Header.Type == unix.RTM_NEWADDR || m.Header.Type == unix.RTM_DELADDR {
			t.note(m.Header.Type, t.port != 0 && m.Header.Pid == t.port, m.Data)
		}
	}
}

// note takes one report of an address. Of IPv4 it says whether a request of
// ours was the cause.
func (t *foreignAddresses) note(kind uint16, requested bool, report addrMsg) {
	a, err := facts.ParseAddress(report)
	if err != nil || !a.Prefix.IsValid() {
		return
	}
	key, ours := placed{a.Index, a.Prefix}, a.Proto == facts.Protocol
	switch was := t.changed[key]; {
	case kind == unix.RTM_NEWADDR && !ours: // and whatever we did before, they have it now
		t.changed[key] = slices.Clone(report)
		delete(t.lost, key)
	case kind == unix.RTM_NEWADDR && was != nil:
		t.lost[key] = was
	case kind == unix.RTM_DELADDR:
		delete(t.changed, key)
		i := slices.Index(t.removed, key)
		if i >= 0 {
			t.removed, requested = slices.Delete(t.removed, i, i+1), true
		}
		switch {
		case !requested:
			delete(t.lost, key)
		case !ours:
			t.lost[key] = slices.Clone(report)
		case i < 0:
			t.along = append(t.along, key)
		}
	}
}

// take returns what was lost, and begins anew. During a reload nobody looks at
// the interfaces, and while a chore is under way more may come: what somebody has
// made theirs meanwhile stays remembered.
func (t *foreignAddresses) take(more bool) map[placed]addrMsg {
	lost := t.lost
	if t.removed, t.lost = nil, make(map[placed]addrMsg); more {
		t.armed = true
	} else {
		t.armed, t.changed = false, make(map[placed]addrMsg)
	}
	return lost
}
