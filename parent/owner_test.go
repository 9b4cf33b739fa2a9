package parent

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"golang.org/x/sys/unix"
)

// addressed is a slot with two addresses, on a link of its own.
func addressed(owner conf.Owner) (*slot, *link) {
	s := &slot{page: page{grant: grant{
		wishes: wishes{priority: 128, owner: owner},
		name:   "eth0/7/ipv4", interval: time.Second, lease: 3 * time.Second, addrs: []conf.Address{
			{Addr: netip.MustParseAddr("10.0.0.253")}, {Addr: netip.MustParseAddr("10.0.0.254")},
		},
	}}}
	return s, &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: 3}, slots: []*slot{s}}
}

// TestLeftover: whose an address is that the interface has, by its mark and by
// what the operator says.
func TestLeftover(t *testing.T) {
	t.Parallel()
	const virtual, real = "10.0.0.254/24", "10.0.0.1/24"
	for _, tt := range []struct {
		owner conf.Owner
		addr  string
		proto uint8
		own   bool
		left  bool
	}{
		{conf.OwnerAuto, virtual, 0, true, false},
		{conf.OwnerAuto, virtual, unix.RTPROT_KEEPALIVED, false, true},
		{conf.OwnerAuto, virtual, facts.Protocol, false, false},
		{conf.OwnerAuto, real, unix.RTPROT_KEEPALIVED, true, false},
		{conf.OwnerTrue, virtual, 0, true, false},
		{conf.OwnerTrue, virtual, unix.RTPROT_KEEPALIVED, true, false},
		{conf.OwnerFalse, virtual, 0, false, true},
		{conf.OwnerFalse, virtual, unix.RTPROT_KEEPALIVED, false, true},
		{conf.OwnerFalse, real, 0, true, false},
	} {
		_, l := addressed(tt.owner)
		p := netip.MustParsePrefix(tt.addr)
		state := l.observed(facts.Link{Index: 3, Up: true}, []facts.Address{{Index: 3, Prefix: p, Proto: tt.proto, Primary: true}})
		if slices.Contains(l.prefixes, p) != tt.own || slices.Contains(l.left, vaddr{Prefix: p}) != tt.left || state.Up != tt.own {
			t.Errorf("owner = %v, %s of %d: own %v, left %v, up %v; want own %v, left %v", tt.owner, tt.addr, tt.proto, l.prefixes, l.left, state.Up, tt.own, tt.left)
		}
	}
}

// TestOwnership: who has some of the addresses waits for the others for an
// Active_Down_Interval, each time anew.
func TestOwnership(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	one, two := netip.MustParsePrefix("10.0.0.253/24"), netip.MustParsePrefix("10.0.0.254/24")
	s, l := addressed(conf.OwnerAuto)
	d := &daemon{keeper: unread(), broker: broker{conversing: conversing{child: &child{}}}}
	for i, tt := range []struct {
		now  int64
		has  []netip.Prefix
		want ipc.Ownership
	}{
		{1 * second, nil, ipc.OwnsNone},
		{2 * second, []netip.Prefix{one}, ipc.OwnsSome},
		{5 * second, []netip.Prefix{two}, ipc.OwnsSome},
		{5*second + second/2 - 1, []netip.Prefix{one}, ipc.OwnsSome},
		{5*second + second/2, []netip.Prefix{one}, ipc.OwnsNone},
		{60 * second, []netip.Prefix{one}, ipc.OwnsNone},
		{61 * second, []netip.Prefix{one, two}, ipc.OwnsAll},
		{62 * second, []netip.Prefix{two}, ipc.OwnsSome},
		{63 * second, nil, ipc.OwnsNone},
		{70 * second, []netip.Prefix{two}, ipc.OwnsSome},
	} {
		d.now, l.prefixes, l.again = tt.now, tt.has, 0
		if got := d.ownership(l, s); got != tt.want || (l.again != 0) != (got == ipc.OwnsSome) {
			t.Errorf("step %d: %v, looked at again at %d; want %v", i, got, l.again, tt.want)
		}
	}
	s, l = addressed(conf.OwnerTrue)
	for i := range 3 {
		d.now, l.prefixes = int64(i)*100*second, []netip.Prefix{one, two}[:i]
		if got, want := d.ownership(l, s), []ipc.Ownership{ipc.OwnsSome, ipc.OwnsSome, ipc.OwnsAll}[i]; got != want {
			t.Errorf("owner = true with %d of 2: %v, want %v", i, got, want)
		}
	}
	// What the daemon before has held in spite of it goes on.
	s, l = addressed(conf.OwnerAuto)
	s.held, l.prefixes = true, []netip.Prefix{one}
	if got := (&daemon{keeper: unread(), broker: broker{now: second}}).ownership(l, s); got != ipc.OwnsNone {
		t.Errorf("taken over: %v", got)
	}
}

// TestTellOwner: the line names what is there, and the command.
func TestTellOwner(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	s, l := addressed(conf.OwnerAuto)
	l.prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.253/24"), netip.MustParsePrefix("10.0.0.254/32")}
	s.ownership = ipc.OwnsAll
	d := &daemon{keeper: unread(), broker: broker{log: slog.New(slog.NewTextHandler(&said, nil))}}
	d.tellOwner(l, s, ipc.OwnsNone, false)
	for _, want := range []string{"level=WARN", `addresses="[10.0.0.253/24 10.0.0.254/32]"`, `command="ip addr del 10.0.0.253/24 dev eth0 && ip addr del 10.0.0.254/32 dev eth0"`} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %s in %s", want, said.String())
		}
	}
}

// observed is what a look at the interfaces makes of a link.
func (l *link) observed(info facts.Link, addrs []facts.Address) ipc.LinkState {
	state, own := l.facts(info, addrs)
	l.prefixes = own
	return state
}
