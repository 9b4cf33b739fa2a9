//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// protocols are the rows of the matrix: with the defaults of both sides, and
// with each form of the checksum configured.
var protocols = []struct {
	name   string
	router lab.Router
}{
	{"v2 IPv4", lab.Router{Version: 2}},
	{"v3 IPv4", lab.Router{Version: 3, Interval: interval3}},
	{"v3 IPv6", lab.Router{Version: 3, Interval: interval3, IPv6: true}},
	{"v3 IPv4 rfc9568", lab.Router{Version: 3, Interval: interval3, Checksum: lab.Plain}},
	{"v3 IPv4 rfc5798", lab.Router{Version: 3, Interval: interval3, Checksum: lab.Pseudo}},
}

// peers are its columns. Deaf are the checksums over IPv4 with which version 3
// is not heard by the peer: it discards such advertisements.
var peers = []struct {
	name        string
	kind        lab.Kind
	onInterface bool
	deaf        string
}{
	{"rvrrpd", lab.Rvrrpd, false, ""},
	{"keepalived", lab.Keepalived, true, lab.Plain},
	{"keepalived vmac", lab.Keepalived, false, lab.Plain},
	{"frr", lab.FRR, false, lab.Plain},
}

// onTheInterface are the rows with our default, iftype = "ether": addresses
// that live on the interface, and are answered for with its own MAC address.
var onTheInterface = []lab.Router{{Version: 2}, {Version: 3, Interval: interval3}, {Version: 3, Interval: interval3, IPv6: true}}

// TestInteropOnInterface is the part of the matrix for them.
func TestInteropOnInterface(t *testing.T) {
	t.Parallel()
	for _, row := range onTheInterface {
		for _, peer := range peers {
			if peer.kind == lab.Keepalived && !peer.onInterface {
				continue // where its addresses are is nothing to us
			}
			ours, theirs := row, row
			ours.Kind, ours.OnInterface = lab.Rvrrpd, true
			theirs.Kind, theirs.OnInterface = peer.kind, peer.onInterface
			for turn, pair := range map[string][2]lab.Router{"from us to ": {ours, theirs}, "to us from ": {theirs, ours}} {
				t.Run(fmt.Sprintf("v%d IPv6 %v, %s%s", row.Version, row.IPv6, turn, peer.name), func(t *testing.T) {
					t.Parallel()
					exchange(t, pair[0], pair[1])
				})
			}
		}
	}
}

// TestInterop is the matrix: each side is Active in turn, is killed, comes
// back with preemption, and says goodbye.
func TestInterop(t *testing.T) {
	t.Parallel()
	for _, row := range protocols {
		for _, peer := range peers {
			ours, theirs := row.router, row.router
			ours.Kind = lab.Rvrrpd
			theirs.Kind, theirs.OnInterface = peer.kind, peer.onInterface
			deaf := row.router.Version == 3 && !row.router.IPv6 && row.router.Checksum == peer.deaf
			t.Run(fmt.Sprintf("%s, from %s to rvrrpd", row.name, peer.name), func(t *testing.T) {
				t.Parallel()
				exchange(t, theirs, ours)
			})
			if peer.kind == lab.Rvrrpd {
				continue // the same again
			}
			t.Run(fmt.Sprintf("%s, from rvrrpd to %s", row.name, peer.name), func(t *testing.T) {
				t.Parallel()
				if deaf {
					unheard(t, ours, theirs)
				} else {
					exchange(t, ours, theirs)
				}
			})
		}
	}
}

// advertisement matches those of a node, as told by its port, that is not
// leaving.
func advertisement(n *lab.Node) func(lab.Frame) bool {
	return lab.From(n, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Priority > 0 })
}

// goodbye matches a node's priority 0.
func goodbye(n *lab.Node) func(lab.Frame) bool {
	return lab.From(n, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Priority == 0 })
}

// awaitAdverts waits for more advertisements of a node, and returns the last.
func awaitAdverts(l *lab.Lab, n *lab.Node, r lab.Router, count int) (f lab.Frame) {
	l.Helper()
	for range count {
		f = l.Tap.Await(l.Tap.Len(), max(3*r.AdverInterval(), time.Second), n.Name+"'s next advertisement", advertisement(n))
	}
	return f
}

// exchange lets the routers take over from each other; from has the higher
// priority. A peer that is deaf to ours may be from: it need not hear us to
// return.
func exchange(t *testing.T, from, to lab.Router) {
	from.Priority, to.Priority = high, low
	l := lab.New(t)
	for n, r := range map[*lab.Node]lab.Router{l.R1: from, l.R2: to} {
		if r.Kind == lab.Rvrrpd {
			watchForDAD(n)
		}
		if r.OnInterface {
			forward(n)
		}
	}
	a := l.R1.Run(from)
	l.Tap.Await(0, from.ActiveDown()+10*time.Second, "r1's advertisement", advertisement(l.R1))
	b := l.R2.Run(to)
	b.AwaitBackup()
	from, to = learning(from, to), learning(to, from)
	began := 0
	if from.Kind == lab.Rvrrpd && from.Checksum != a.Router.Checksum {
		began = acquaint(t, l, a, b)
	}
	awaitAdverts(l, l.R1, from, 4) // longer than r2's Active_Down_Interval
	answers(t, l, l.R1, from)
	purelyVirtual(t, l.R1, from)

	seen := l.Tap.Len()
	killed := a.Kill()
	takeover := l.Tap.Await(seen, to.ActiveDown()+time.Second, "r2's advertisement", advertisement(l.R2))
	before := last(t, l.Tap.From(0), killed, "r1's last advertisement", advertisement(l.R1))
	inTime(t, "the takeover", before.Time, takeover.Time, to.ActiveDown(), to)
	announcements(t, l, l.R2, to, takeover)
	purelyVirtual(t, l.R2, to)

	again := a.Again()
	l.Tap.Await(mark(l, takeover), from.ActiveDown()+10*time.Second, "r1's return", advertisement(l.R1))
	awaitAdverts(l, l.R1, from, 3)
	answers(t, l, l.R1, from)

	if status := again.Terminate(10 * time.Second); status != 0 {
		t.Errorf("r1 ended with status %d; it said\n%s", status, again.Output())
	}
	bye := l.Tap.Await(0, time.Second, "r1's goodbye", goodbye(l.R1))
	takeover = l.Tap.Await(mark(l, bye), to.SkewTime()+time.Second, "r2's advertisement", advertisement(l.R2))
	inTime(t, "the handover", bye.Time, takeover.Time, to.SkewTime(), to)
	awaitAdverts(l, l.R2, to, 1)

	frames := l.Tap.From(began)
	turns(t, frames, from.AdverInterval(), "r1 r2 r1 r2")
	for n, r := range map[*lab.Node]lab.Router{l.R1: from, l.R2: to} {
		wellFormed(t, frames, n, r)
		noneDetected(t, frames, n, r)
	}
}

// learning is a router with the form of the checksum that it has once it knows
// the other one: keepalived and FRR send that of RFC 5798.
func learning(r, other lab.Router) lab.Router {
	if r.Kind == lab.Rvrrpd && other.Kind != lab.Rvrrpd && r.Version == 3 && !r.IPv6 && r.Checksum == "" {
		r.Checksum = lab.Pseudo
	}
	return r
}

// acquaint is what happens when a peer that does not understand the checksum of
// RFC 9568 comes to an Active that has heard nobody yet: it becomes Active, too,
// says so, and is answered in its own form, so that it steps back. It returns
// the number of the frame from which on all is as it should be.
func acquaint(t *testing.T, l *lab.Lab, a, b *lab.Daemon) (began int) {
	t.Helper()
	first := l.Tap.Await(0, b.Router.ActiveDown()+5*time.Second, "r2's advertisement, who does not hear r1", advertisement(l.R2))
	form := func(want string) func(lab.Frame) bool {
		return lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.ChecksumForm() == want })
	}
	answer := l.Tap.Await(mark(l, first), a.Router.AdverInterval()+5*time.Second, "r1's answer in r2's form", form(lab.Pseudo))
	between(t, "r1's answer", first.Time, answer.Time, -haste, a.Router.AdverInterval()+tolerance)
	for _, f := range lab.Select(l.Tap.From(mark(l, answer)), form(lab.Plain)) {
		t.Errorf("r1 goes back to its own form: %s", f)
	}
	b.AwaitActive(0)
	said := 0
	for b.TurnedActive(said + 1) {
		said++
	}
	b.AwaitStepBack(said)
	l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's next advertisement", form(lab.Pseudo))
	a.AwaitLine(0, time.Second, "checksum learned.*checksum=rfc5798")
	if a.SteppedBack(0) {
		t.Errorf("r1 has stepped back; it said\n%s", a.Output())
	}
	return l.Tap.Len()
}

// mark is the number of the frame that follows f.
func mark(l *lab.Lab, f lab.Frame) int {
	return slices.IndexFunc(l.Tap.From(0), func(g lab.Frame) bool { return g.Time.Equal(f.Time) }) + 1
}

// unheard shows that the peer does not hear advertisements with the checksum
// that ours sends, or this matrix would be wrong about it: it becomes Active
// beside us.
func unheard(t *testing.T, ours, theirs lab.Router) {
	ours.Priority, theirs.Priority = high, low
	l := lab.New(t)
	l.R1.Run(ours)
	l.Tap.Await(0, ours.ActiveDown()+10*time.Second, "r1's advertisement", advertisement(l.R1))
	l.R2.Run(theirs)
	l.Tap.Await(0, theirs.ActiveDown()+10*time.Second, "r2's advertisement", advertisement(l.R2))
	awaitAdverts(l, l.R1, ours, 2)
	wellFormed(t, l.Tap.From(0), l.R1, ours)
}

// centisecond is how much earlier than the protocol's time FRR may be: it
// cuts Skew_Time down to whole centiseconds.
const centisecond = 10 * time.Millisecond

// peerTolerance is how much later a peer may be: not ours to improve.
const peerTolerance = 100 * time.Millisecond

// inTime checks a takeover on the wire: ours strictly. Over IPv6 FRR cannot
// send its first advertisement, because the device it has just given carrier
// has no address to send from; its second follows an interval later.
func inTime(t *testing.T, what string, from, to time.Time, want time.Duration, r lab.Router) {
	t.Helper()
	latest := want + peerTolerance
	if r.Kind == lab.FRR && r.IPv6 {
		latest += r.AdverInterval()
	}
	if r.Kind == lab.Rvrrpd {
		within(t, what, from, to, want)
		return
	}
	between(t, what+" by "+string(r.Kind), from, to, want-centisecond-haste, latest)
}

// reign is a time in which a router advertises that it is Active, without a gap of more than two
// intervals.
type reign struct {
	port       string
	begin, end time.Time
}

// reigns are those in frames, in the order in which they begin; what is of one router in a row
// is one.
func reigns(frames []lab.Frame, interval time.Duration) (all []reign) {
	last := map[string]int{}
	for _, f := range frames {
		if f.VRRP == nil || f.VRRP.Priority == 0 {
			continue
		}
		i, known := last[f.Port]
		if known && (f.Time.Sub(all[i].end) <= 2*interval || i == len(all)-1) {
			all[i].end = f.Time
			continue
		}
		last[f.Port] = len(all)
		all = append(all, reign{f.Port, f.Time, f.Time})
	}
	return all
}

// turns looks who is Active in turn, and that nobody speaks beside another one for longer than
// it takes to hear that.
func turns(t *testing.T, frames []lab.Frame, interval time.Duration, want string) {
	t.Helper()
	var ports []string
	all := reigns(frames, interval)
	for i, r := range all {
		ports = append(ports, r.port)
		if i == len(all)-1 {
			break
		}
		if next := all[i+1].begin; r.end.Sub(next) > tolerance+lab.Slack(next, next.Add(tolerance)) {
			t.Errorf("%s speaks beside %s for %v", r.port, all[i+1].port, r.end.Sub(next))
		}
	}
	if got := strings.Join(ports, " "); got != want {
		t.Errorf("Active in turn: %s, want %s", got, want)
	}
}

// TestReigns: of what is on the wire it is told who was Active in turn.
func TestReigns(t *testing.T) {
	t.Parallel()
	const interval = time.Second
	for _, tt := range []struct{ name, said, want string }{
		{"one", "a0 a1 a2", "a"},
		{"one that stalls", "a0 a1 a9", "a"},
		{"in turn", "a0 a1 b4 b5 a6 a7 a8 b9", "a b a b"},
		{"beside for a moment", "a0 a1 b2 a2 b3 b4", "a b"},
		{"two at once", "a0 b1 a1 b2 a2 b3 a3", "a b"},
	} {
		var frames []lab.Frame
		for _, word := range strings.Fields(tt.said) {
			at, err := strconv.Atoi(word[1:])
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, lab.Frame{Port: word[:1], Time: time.Unix(int64(at), 0), VRRP: &lab.VRRP{Priority: 100}})
		}
		var got []string
		for _, r := range reigns(frames, interval) {
			got = append(got, r.port)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

// wellFormed checks all advertisements of a node.
func wellFormed(t *testing.T, frames []lab.Frame, n *lab.Node, r lab.Router) {
	t.Helper()
	group, groupMAC, form := groupAddr, lab.GroupMAC, lab.Plain
	switch {
	case r.IPv6:
		group, groupMAC, form = groupAddr6, lab.GroupMAC6, lab.Pseudo
	case r.Version == 3 && (r.Kind != lab.Rvrrpd || r.Checksum == lab.Pseudo):
		form = lab.Pseudo
	}
	mac := r.MAC()
	if r.OnInterface && r.Kind != lab.Rvrrpd { // ours bear it in any case
		mac = n.MAC
	}
	inter := int(r.AdverInterval() / time.Second)
	if r.Version == 3 {
		inter = int(r.AdverInterval() / centisecond)
	}
	vips := slices.SortedFunc(slices.Values(r.VIPs()), netip.Addr.Compare)
	for _, f := range lab.Select(frames, lab.From(n, func(f lab.Frame) bool { return f.VRRP != nil })) {
		v := f.VRRP
		addrs := slices.SortedFunc(slices.Values(v.Addrs), netip.Addr.Compare)
		if v.Version != r.Version || v.VRID != lab.VRID || v.TTL != vrrpTTL || v.Inter != inter || !slices.Equal(addrs, vips) {
			t.Errorf("%s: %+v", r.Kind, *v)
		}
		if v.Dst != group || f.Dst != groupMAC || f.Src != mac {
			t.Errorf("%s: from %s to %s, %s", r.Kind, f.Src, f.Dst, v.Dst)
		}
		if got := v.ChecksumForm(); got != form {
			t.Errorf("%s: checksum %q, want %q", r.Kind, got, form)
		}
		if r.Kind == lab.Rvrrpd {
			ourOwn(t, f, n, r)
		}
	}
}

// ourOwn checks what the peers see to in another way, or not at all.
func ourOwn(t *testing.T, f lab.Frame, n *lab.Node, r lab.Router) {
	t.Helper()
	source := n.Addr
	if r.IPv6 {
		source = n.LinkLocal
	}
	if f.VRRP.Src != source || f.VRRP.DSField != cs6 || !slices.Equal(f.VRRP.Addrs, r.VIPs()) {
		t.Errorf("rvrrpd: %+v", *f.VRRP)
	}
}
