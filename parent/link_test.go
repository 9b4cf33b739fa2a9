package parent

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// TestFailedDump: when the kernel does not list what there is, we look again,
// and not only when it reports the next change; that is told once.
func TestFailedDump(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	dumps, fails := 0, true
	l := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}}, again: 1}
	d := &daemon{keeper: unread(),
		living:    living{respawn: never},
		repairing: repairing{settingsNext: never}, observing: observing{dump: func() ([]facts.Link, []facts.Address, error) {
			if dumps++; fails {
				return nil, nil, errors.New("interrupted")
			}
			return nil, nil, nil
		}}, broker: broker{leasing: leasing{leaseCheck: never, unwalled: true}, log: slog.New(slog.NewTextHandler(&said, nil)), now: 1}, links: []*link{l},
	}
	for n := 1; n <= 5; n++ {
		if err := d.watch(false); err != nil || dumps != n {
			t.Errorf("turn %d: %d dumps, %v", n, dumps, err)
		}
		if next := d.next(); next != d.now+attachRetry {
			t.Fatalf("turn %d: the next one is at %d, want %d", n, next, d.now+attachRetry)
		}
		if err := d.watch(false); err != nil || dumps != n {
			t.Errorf("turn %d: too early: %d dumps, %v", n, dumps, err)
		}
		d.now += attachRetry
	}
	if n := strings.Count(said.String(), "cannot follow the interfaces"); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
	fails = false
	if err := d.watch(false); err != nil || dumps != 6 || d.next() != never {
		t.Errorf("in the end: %d dumps, next %d, %v", dumps, d.next(), err)
	}
}

// TestWaitBeginsWithTheLook: a link that is up again waits for link_up_delay from when it
// is seen, also where the turn began long before: the process may have been stopped since.
func TestWaitBeginsWithTheLook(t *testing.T) {
	t.Parallel()
	l := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: 3}, wasUp: true, slots: []*slot{{page: page{grant: grant{wishes: wishes{linkUpDelay: time.Second}}}}}}
	begun := ipc.Monotonic()
	d := &daemon{keeper: unread(),
		observing: observing{dump: func() ([]facts.Link, []facts.Address, error) {
			a := netip.MustParsePrefix("10.9.0.1/24")
			return []facts.Link{{Index: 3, Name: "eth0", Up: true, AdminUp: true, MAC: make(net.HardwareAddr, 6)}}, []facts.Address{{Index: 3, Prefix: a, Network: a, Primary: true}}, nil
		}},
		broker: broker{leasing: leasing{unwalled: true}, log: slog.New(slog.DiscardHandler), now: begun - int64(time.Hour)}, links: []*link{l},
	}
	if err := d.resync(); err != nil {
		t.Fatal(err)
	}
	if l.told.Up || l.again < begun+int64(time.Second) {
		t.Errorf("up %v, another look %v after this one", l.told.Up, time.Duration(l.again-begun))
	}
}

// TestUnusable: each cause has its own words.
func TestUnusable(t *testing.T) {
	t.Parallel()
	l := &link{wire: wire{index: 3}}
	up := facts.Link{Index: 3, AdminUp: true, Up: true, MAC: make(net.HardwareAddr, 6)}
	with := func(change func(i *facts.Link)) facts.Link { i := up; change(&i); return i }
	for want, tt := range map[string]struct {
		info facts.Link
		up   bool
	}{
		"":                                {up, true},
		"there is no such interface":      {facts.Link{}, false},
		"it is not an Ethernet interface": {with(func(i *facts.Link) { i.MAC = nil }), false},
		"it is a port of br9":             {with(func(i *facts.Link) { i.Port, i.Up, i.Master = true, false, "br9" }), false},
		"it is another interface":         {with(func(i *facts.Link) { i.Index = 4 }), false},
		"it is set down":                  {with(func(i *facts.Link) { i.AdminUp, i.Up = false, false }), false},
		"it has no carrier":               {with(func(i *facts.Link) { i.Up = false }), false},
		"it has no address to speak from": {up, false},
	} {
		if got := l.unusable(tt.info, tt.up); got != want {
			t.Errorf("%+v: %q, want %q", tt.info, got, want)
		}
	}
}
