package parent

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// probeTime is how long a former Active has to answer, and at the least to
	// advertise, ns.
	probeTime = int64(time.Second)
	// probesMax bounds the probes under way: the child names the addresses.
	probesMax = 16
)

// probe asks whether a former Active is still there: an advertisement that
// does not come may mean that it is dead, or that we are deaf to it, and then
// there are two Actives. The kernel asks, with ARP or neighbor discovery; we
// look at what it has learned. Meanwhile a tap sees whether its advertisements
// reach the interface: then something on this host drops them.
type probe struct {
	link   *link
	peer   netip.Addr
	at     int64 // when to look
	slots  int   // how many takeovers want to know
	sample string
	drop   ipc.Drop // why its advertisements were discarded, 0 if none were
	tap    tap
	heard  uint64 // by the raw socket, on this link, before
}

// probeActive begins a probe after a takeover, unless there is one for the
// same router.
func (d *daemon) probeActive(s *slot, m ipc.StateChange) {
	l, peer := d.links[s.link], m.Peer
	if !l.near(peer) {
		return
	}
	for i := range d.probes {
		if p := &d.probes[i]; p.link == l && p.peer == peer {
			p.slots, p.drop = p.slots+1, max(p.drop, m.Drop)
			return
		}
	}
	if len(d.probes) >= probesMax {
		return
	}
	n := &netlink.Neigh{LinkIndex: l.index, IP: peer.AsSlice(), Flags: netlink.NTF_USE}
	if err := d.kernel.ask(n); err != nil {
		d.log.Debug("former Active not probed", "vr", s.name, "peer", peer, "error", err)
		return
	}
	p := probe{link: l, peer: peer, at: d.now + max(probeTime, int64(s.interval)*3/2), slots: 1, sample: s.name, drop: m.Drop, heard: l.heard}
	var err error
	if p.tap, err = openTap(l.index, peer); err != nil {
		d.log.Debug("former Active not probed", "vr", s.name, "peer", peer, "error", err)
	}
	d.probes = append(d.probes, p)
	slices.SortStableFunc(d.probes, func(a, b probe) int { return cmp.Compare(a.at, b.at) })
}

// near says whether an address can be a router's on the link itself.
func (l *link) near(peer netip.Addr) bool {
	if l.index == 0 || peer.Is4() != (l.family == ipc.IPv4) {
		return false
	}
	return (peer.Is4() || peer.IsLinkLocalUnicast()) && slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// ask has the kernel resolve a neighbor anew: what it learned before says
// nothing about now. An entry that an operator has made stays as it is.
func ask(n *netlink.Neigh) error {
	list, err := netlink.NeighList(n.LinkIndex, 0)
	if err != nil {
		return err
	}
	for _, there := range list {
		if !there.IP.Equal(n.IP) {
			continue
		}
		if there.State&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) != 0 {
			return errors.New("the neighbor is a permanent one")
		}
		if err := netlink.NeighDel(&there); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return netlink.NeighAdd(n)
}

// probesDue tells what came of the probes whose time is over.
func (d *daemon) probesDue() {
	for len(d.probes) > 0 && d.probes[0].at <= d.now {
		p := d.probes[0]
		d.probes = d.probes[1:]
		arrive := p.tap.count()
		list, err := netlink.NeighList(p.link.index, 0)
		if err != nil {
			continue
		}
		answers := false
		for _, n := range list {
			ip, _ := netip.AddrFromSlice(n.IP)
			if ip.Unmap() == p.peer {
				answers = n.State&(netlink.NUD_REACHABLE|netlink.NUD_STALE|netlink.NUD_DELAY|netlink.NUD_PROBE) != 0
			}
		}
		d.log.Warn("former Active probed", "link", p.link.linkName, "peer", p.peer, "answers", answers, "arrive", arrive, "takeovers", p.slots, "vr", p.sample, "hint", p.hint(answers, arrive))
	}
}

// hint says what came of a probe, so that it fits what was said at the
// takeover. What is dropped here need not be heard: of some the socket's filter
// passes a sample only.
func (p *probe) hint(answers bool, arrive int) string {
	switch {
	case arrive > 0 && p.drop != 0:
		return "it is alive and advertises, and that is dropped here, for the reason " + p.drop.String() + ": look for two Actives"
	case arrive > 0 && p.link.heard == p.heard:
		return "its advertisements reach the interface, and this host drops them before the daemon hears them: look at nft list ruleset, iptables -S and net.ipv4.conf.*.rp_filter"
	case arrive > 0:
		return "its advertisements reach the interface, so it is alive: look for two Actives"
	case answers && p.drop != 0:
		return "it answers, so it is alive; it no longer advertises what was dropped here, for the reason " + p.drop.String()
	case answers:
		return "it answers, so it is alive: its advertisements do not reach us, or it has given up its role without a word; look for two Actives"
	}
	return "it does not answer: it is down, or the network in between has failed"
}

// wantsProbe says whether a transition leaves open what became of the Active.
func wantsProbe(m ipc.StateChange) bool {
	return m.To == ipc.Active && m.Peer.IsValid() && (m.Verdict == ipc.VerdictSilent || m.Verdict == ipc.VerdictDropped)
}
