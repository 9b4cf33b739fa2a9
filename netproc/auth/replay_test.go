package auth_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
)

func monotonic(c *auth.Config) { c.AntiReplay = auth.Monotonic }

// exchange has a sender and a receiver with clocks of their own.
type exchange struct {
	t    *testing.T
	out  *auth.HMAC
	in   *auth.HMAC
	sent []byte
	n    int
}

func (e *exchange) send(at time.Time) { e.sent, e.n = signed(e.out, sender, at) }

func (e *exchange) hear(what string, at time.Time, want auth.Problem) {
	e.t.Helper()
	if _, got := verify(e.in, e.sent, e.n, sender, at); got != want {
		e.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func newExchange(t *testing.T, change func(c *auth.Config)) *exchange {
	return &exchange{t: t, out: newHMAC(t, change), in: newHMAC(t, change)}
}

func TestReplayed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.Config){"time": nil, "monotonic": monotonic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newExchange(t, change)
			e.send(noon)
			first := e.sent
			e.hear("first", noon, auth.NoProblem)
			e.hear("the same again", noon, auth.Replayed)
			e.send(noon.Add(time.Second))
			e.hear("second", noon.Add(time.Second), auth.NoProblem)
			e.sent = first
			e.hear("reordered", noon.Add(time.Second), auth.Replayed)
			// Two senders with the same sequence are nothing to each other.
			other := netip.MustParseAddr("fe80::1")
			p, n := signed(newHMAC(t, change), other, noon.Add(time.Second))
			if _, got := verify(e.in, p, n, other, noon.Add(time.Second)); got != auth.NoProblem {
				t.Errorf("another sender: %v", got)
			}
			if _, got := verify(e.in, p, n, sender, noon.Add(time.Second)); got != auth.BadHMAC {
				t.Errorf("another's advertisement from this sender: %v", got)
			}
		})
	}
}

// TestSequencesGrow: several in one instant, and a clock that goes back.
func TestSequencesGrow(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.Config){"time": nil, "monotonic": monotonic} {
		e := newExchange(t, change)
		for _, d := range []time.Duration{0, 0, 0, time.Microsecond, -4 * time.Second, -2 * time.Second, time.Second} {
			e.send(noon.Add(d))
			e.hear(name, noon, auth.NoProblem)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		off  time.Duration // of the sender's clock
		want auth.Problem
		skew time.Duration
	}{
		{0, auth.NoProblem, 0},
		{5 * time.Second, auth.NoProblem, 5 * time.Second},
		{-5 * time.Second, auth.NoProblem, -5 * time.Second},
		{5*time.Second + 499*time.Millisecond, auth.NoProblem, 5*time.Second + 499*time.Millisecond},
		{6 * time.Second, auth.Stale, 0},
		{-6 * time.Second, auth.Stale, 0},
		{-1 << 30 * time.Second, auth.Stale, 0},
	} {
		in, out := newHMAC(t, nil), newHMAC(t, nil)
		p, n := signed(out, sender, noon.Add(tt.off))
		skew, got := verify(in, p, n, sender, noon)
		if d := skew - tt.skew; got != tt.want || d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("off by %v: got %v, skew %v, want %v, %v", tt.off, got, skew, tt.want, tt.skew)
		}
	}
	// Without a window no clock matters.
	p, n := signed(newHMAC(t, monotonic), sender, time.Unix(0, 0))
	if _, got := verify(newHMAC(t, monotonic), p, n, sender, noon); got != auth.NoProblem {
		t.Errorf("monotonic: got %v", got)
	}
}

// TestClockSteps: our clock and the sender's are set.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	e := newExchange(t, nil)
	ahead := noon.Add(time.Hour)
	e.send(ahead)
	e.hear("both an hour ahead", ahead, auth.NoProblem)
	// Both clocks are set right. The sender does not stick to the wrong time, and
	// nothing tells it from one who replays: it counts once it is newer.
	e.send(noon)
	e.hear("both right again", noon, auth.Replayed)
	if h := e.in.Held(); h.Source != sender || !e.in.Ahead(h.Sequence, noon) || e.in.Ahead(h.Sequence, ahead) {
		t.Errorf("held against %v", h)
	}
	e.send(ahead.Add(time.Second))
	e.hear("past the wrong time", ahead.Add(time.Second), auth.NoProblem)
	// One that was wrong alone was not heard, and is at once when it is right.
	alone := newExchange(t, nil)
	alone.send(ahead)
	alone.hear("its clock alone is ahead", noon, auth.Stale)
	alone.send(noon)
	alone.hear("set right", noon, auth.NoProblem)
	// Without a clock of its own a router starts in 1970, hears nobody, and is
	// set right.
	cold := newExchange(t, nil)
	cold.send(noon)
	cold.hear("in 1970", time.Unix(60, 0), auth.Stale)
	cold.hear("set right", noon, auth.NoProblem)
	cold.send(time.Unix(60, 0))
	cold.hear("the sender in 1970", noon, auth.Stale)
	cold.send(noon.Add(time.Second))
	cold.hear("the sender set right", noon.Add(time.Second), auth.NoProblem)

	m := newExchange(t, monotonic)
	m.send(ahead)
	m.hear("an hour ahead", noon, auth.NoProblem)
	m.send(noon)
	m.hear("set back: it goes on from its last", noon, auth.NoProblem)
	restarted := newHMAC(t, monotonic)
	m.out = restarted
	m.send(noon)
	m.hear("restarted without its memory", noon, auth.Replayed)
	restarted.Resume([]auth.Mark{{Key: m.in.Marks()[0].Key, Sequence: m.in.Marks()[0].Sequence}})
	m.send(noon)
	m.hear("restarted with it", noon, auth.NoProblem)
}

// TestWrap: the seconds wrap in 2106.
func TestWrap(t *testing.T) {
	t.Parallel()
	wrap := time.Unix(1<<32, 0)
	for name, change := range map[string]func(*auth.Config){"time": nil, "monotonic": monotonic} {
		e := newExchange(t, change)
		e.send(wrap.Add(-time.Second))
		e.hear(name+": before", wrap.Add(-time.Second), auth.NoProblem)
		old := e.sent
		e.send(wrap.Add(time.Second))
		e.hear(name+": after", wrap.Add(time.Second), auth.NoProblem)
		e.sent = old
		e.hear(name+": before again", wrap.Add(time.Second), auth.Replayed)
	}
}

// TestSendersAreBounded: forged ones are not remembered at all, real ones up
// to a bound, and none is forgotten as long as it could be replayed.
func TestSendersAreBounded(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.Config){"time": nil, "monotonic": monotonic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newHMAC(t, change)
			at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}) }
			first, n := signed(newHMAC(t, change), at(0), noon)
			for i := range 10_000 {
				p, n := signed(newHMAC(t, change), at(i), noon)
				if i%100 != 0 {
					p[n+12] ^= 1 // forged
				}
				want := auth.NoProblem
				switch {
				case i%100 != 0:
					want = auth.BadHMAC
				case i/100 >= auth.MaxSenders:
					want = auth.TooMany
				}
				if _, got := verify(in, p, n, at(i), noon); got != want {
					t.Fatalf("sender %d: got %v, want %v", i, got, want)
				}
			}
			if got := len(in.Marks()); got != auth.MaxSenders {
				t.Errorf("%d senders are remembered", got)
			}
			if _, got := verify(in, first, n, at(0), noon); got != auth.Replayed {
				t.Errorf("the first again: %v", got)
			}
			later := noon.Add(time.Minute)
			want := auth.NoProblem // its marks have passed
			if change != nil {
				want = auth.TooMany
			}
			p, n := signed(newHMAC(t, change), at(20_000), later)
			if _, got := verify(in, p, n, at(20_000), later); got != want {
				t.Errorf("a new sender later: got %v, want %v", got, want)
			}
		})
	}
}

// TestResume: what another process has heard counts.
func TestResume(t *testing.T) {
	t.Parallel()
	e := newExchange(t, nil)
	e.send(noon)
	e.hear("first", noon, auth.NoProblem)
	fresh := newHMAC(t, nil)
	fresh.Resume(e.in.Marks())
	e.in = fresh
	e.hear("the same, heard by another process", noon, auth.Replayed)
	many := make([]auth.Mark, 100)
	for i := range many {
		many[i] = auth.Mark{Source: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Key: auth.Fingerprint(keys(t)[0].Value)}
	}
	fresh.Resume(many)
	if got := len(fresh.Marks()); got != auth.MaxSenders {
		t.Errorf("%d marks resumed", got)
	}
}

// TestGoOn: a router that goes on knows best what it has sent and heard
// itself, and is told the rest.
func TestGoOn(t *testing.T) {
	t.Parallel()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
	one, two := auth.Fingerprint(keys(t)[0].Value), auth.Fingerprint(keys(t)[1].Value)
	many := func(from, n int, sequence uint64) (marks []auth.Mark) {
		for i := range n {
			marks = append(marks, auth.Mark{Source: at(from + i), Key: one, Sequence: sequence})
		}
		return marks
	}
	sent := func(sequence uint64) auth.Mark { return auth.Mark{Key: one, Sequence: sequence} }
	with := func(marks []auth.Mark, more ...auth.Mark) []auth.Mark { return append(marks, more...) }
	for _, tt := range []struct {
		name             string
		change           func(c *auth.Config)
		was, marks, want []auth.Mark
	}{
		{"nothing told", nil, with(many(1, 2, 5), sent(5)), nil, with(many(1, 2, 5), sent(5))},
		{"nothing known", nil, nil, with(many(1, 2, 5), sent(7)), with(many(1, 2, 5), sent(7))},
		{"others told", nil, with(many(1, 1, 5), sent(9)), with(many(2, 1, 6), sent(7)), with(many(2, 1, 6), sent(9), many(1, 1, 5)[0])},
		{"older told", monotonic, with(many(1, 1, 5), sent(9)), with(many(1, 1, 4), sent(7)), with(many(1, 1, 5), sent(9))},
		{"newer told, for good", monotonic, with(many(1, 1, 5), sent(9)), with(many(1, 1, 6), sent(11)), with(many(1, 1, 6), sent(11))},
		{"newer told, and our own clock was set back since", nil, with(many(1, 1, 5), sent(9)), with(many(1, 1, 6), sent(11)), with(many(1, 1, 6), sent(9))},
		{"too many", nil, many(1, 20, 5), many(101, 20, 6), with(many(101, 20, 6), many(1, 12, 5)...)},
		{"under another key", nil, []auth.Mark{{Source: at(1), Key: two, Sequence: 9}}, many(1, 1, 5), with(many(1, 1, 5), auth.Mark{Source: at(1), Key: two, Sequence: 9})},
	} {
		was, is := newHMAC(t, tt.change), newHMAC(t, tt.change)
		was.Resume(tt.was)
		is.Resume(tt.marks)
		is.GoOn(was)
		if diff := cmp.Diff(tt.want, is.Marks(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: marks (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestKeysApart: what was heard under one key says nothing of another, ours of our
// own included; and each key has room for as many senders.
func TestKeysApart(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.Config){"time": nil, "monotonic": monotonic} {
		second := func(c *auth.Config) {
			if change != nil {
				change(c)
			}
			c.Active = 2
		}
		e := newExchange(t, change)
		e.send(noon.Add(4 * time.Second))
		e.hear(name+", ahead", noon, auth.NoProblem)
		one := e.sent
		e.out = newHMAC(t, second)
		e.send(noon)
		e.hear(name+", under the second key", noon, auth.NoProblem)
		e.hear(name+", again", noon, auth.Replayed)
		e.sent = one
		e.hear(name+", the first again", noon, auth.Replayed)

		both := newHMAC(t, second)
		both.Resume([]auth.Mark{{Key: auth.Fingerprint(keys(t)[0].Value), Sequence: 1<<63 - 1}})
		signed(both, sender, noon)
		if m := both.Marks(); len(m) != 2 || m[1].Sequence>>32 != uint64(noon.Unix()) {
			t.Errorf("%s: we go on from what another key has sent: %v", name, m)
		}
	}
}

// TestPoisoned: who has a key leads a sender's mark, and ours, far ahead. A new
// key begins anew, once the old one is gone nothing of it is left, and what is left
// is told.
func TestPoisoned(t *testing.T) {
	t.Parallel()
	only := func(i int) func(c *auth.Config) {
		return func(c *auth.Config) { c.AntiReplay, c.Keys, c.Active = auth.Monotonic, keys(t)[i:i+1], keys(t)[i].ID }
	}
	e := newExchange(t, only(0))
	e.send(time.Unix(3_700_000_000, 0)) // 2087
	e.hear("of the thief", noon, auth.NoProblem)
	e.out = newHMAC(t, only(0))
	e.send(noon)
	e.hear("the sender itself, with the old key", noon, auth.Replayed)
	e.out = newHMAC(t, only(1))
	poisoned := e.in.Marks()
	legacy := make([]auth.Mark, len(poisoned)) // written by a release that did not tell keys apart
	for i, m := range poisoned {
		legacy[i] = auth.Mark{Source: m.Source, Sequence: m.Sequence}
	}
	e.in = newHMAC(t, only(1))
	e.in.Resume(poisoned)
	if got := e.in.Changed(); len(e.in.Marks()) > 0 || len(got) != 1 || got[0] != (auth.Mark{Source: sender, Key: poisoned[0].Key}) {
		t.Errorf("left: %v, told: %v", e.in.Marks(), got)
	}
	e.send(noon)
	e.hear("the sender itself, with a new key", noon, auth.NoProblem)

	// What has no key counts for those there are when it is read.
	e.in = newHMAC(t, only(0))
	e.in.Resume(legacy)
	if got := e.in.Changed(); len(got) != 2 || got[0] != (auth.Mark{Source: sender}) || got[1] != poisoned[0] {
		t.Errorf("told: %v", got)
	}
	e.out = newHMAC(t, only(0))
	e.send(noon)
	e.hear("of a file without keys", noon, auth.Replayed)
}

// TestForgotten: who had to give way is told once, and what it has sent does not
// count again when our clock is set back.
func TestForgotten(t *testing.T) {
	t.Parallel()
	in := newHMAC(t, nil)
	made := func(i int, at time.Time) ([]byte, int, netip.Addr) {
		src := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		p, n := signed(newHMAC(t, nil), src, at)
		return p, n, src
	}
	hear := func(i int, at time.Time, want auth.Problem) []auth.Mark {
		t.Helper()
		p, n, src := made(i, at)
		if _, problem := verify(in, p, n, src, at); problem != want {
			t.Fatalf("sender %d: %v, want %v", i, problem, want)
		}
		return slices.Clone(in.Changed())
	}
	sources := func(marks []auth.Mark) (out []string) {
		for _, m := range marks {
			out = append(out, fmt.Sprint(m.Source, m.Sequence == 0))
		}
		return out
	}
	for i := range auth.MaxSenders {
		hear(i, noon, auth.NoProblem)
	}
	got := sources(hear(100, noon.Add(time.Minute), auth.NoProblem))
	if want := []string{"10.0.0.0 true", ":: false", "10.0.0.100 false"}; !slices.Equal(got, want) {
		t.Errorf("changed: %q, want %q", got, want)
	}
	got = sources(hear(100, noon.Add(61*time.Second), auth.NoProblem))
	if want := []string{"10.0.0.100 false"}; !slices.Equal(got, want) {
		t.Errorf("changed: %q, want %q", got, want)
	}
	fresh := newHMAC(t, nil)
	fresh.Resume(in.Marks())
	for name, h := range map[string]*auth.HMAC{"itself": in, "another process": fresh} {
		p, n, src := made(0, noon)
		if _, problem := verify(h, p, n, src, noon); problem != auth.Replayed {
			t.Errorf("%s: who gave way, with the clock set back: %v", name, problem)
		}
		if n := len(h.Marks()); n != auth.MaxSenders+1 {
			t.Errorf("%s: %d marks", name, n)
		}
	}
}

// TestSetBack: ten minutes of advertisements are recorded, and our clock is set
// back by ten minutes: none of them counts again.
func TestSetBack(t *testing.T) {
	t.Parallel()
	e := newExchange(t, nil)
	type packet struct {
		b  []byte
		at time.Time
	}
	var old []packet
	for i := range 600 {
		at := noon.Add(time.Duration(i) * time.Second)
		e.send(at)
		old = append(old, packet{e.sent, at})
		e.hear("live", at, auth.NoProblem)
	}
	for _, p := range old {
		e.sent = p.b
		e.hear("again", p.at, auth.Replayed)
	}
}
