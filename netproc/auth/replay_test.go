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
	if _, got := e.in.Verify(e.sent, e.n, sender, at); got != want {
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
			if _, got := e.in.Verify(p, n, other, noon.Add(time.Second)); got != auth.NoProblem {
				t.Errorf("another sender: %v", got)
			}
			if _, got := e.in.Verify(p, n, sender, noon.Add(time.Second)); got != auth.BadHMAC {
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
		skew, got := in.Verify(p, n, sender, noon)
		if d := skew - tt.skew; got != tt.want || d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("off by %v: got %v, skew %v, want %v, %v", tt.off, got, skew, tt.want, tt.skew)
		}
	}
	// Without a window no clock matters.
	p, n := signed(newHMAC(t, monotonic), sender, time.Unix(0, 0))
	if _, got := newHMAC(t, monotonic).Verify(p, n, sender, noon); got != auth.NoProblem {
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
	restarted.Resume(m.in.Marks()[0].Sequence, nil)
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
				if _, got := in.Verify(p, n, at(i), noon); got != want {
					t.Fatalf("sender %d: got %v, want %v", i, got, want)
				}
			}
			if got := len(in.Marks()); got != auth.MaxSenders {
				t.Errorf("%d senders are remembered", got)
			}
			if _, got := in.Verify(first, n, at(0), noon); got != auth.Replayed {
				t.Errorf("the first again: %v", got)
			}
			later := noon.Add(time.Minute)
			want := auth.NoProblem // its marks have passed
			if change != nil {
				want = auth.TooMany
			}
			p, n := signed(newHMAC(t, change), at(20_000), later)
			if _, got := in.Verify(p, n, at(20_000), later); got != want {
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
	fresh.Resume(e.in.Sent(), e.in.Marks())
	e.in = fresh
	e.hear("the same, heard by another process", noon, auth.Replayed)
	many := make([]auth.Mark, 100)
	for i := range many {
		many[i].Source = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
	}
	fresh.Resume(0, many)
	if got := len(fresh.Marks()); got != auth.MaxSenders {
		t.Errorf("%d marks resumed", got)
	}
}

// TestGoOn: a router that goes on knows best what it has sent and heard
// itself, and is told the rest.
func TestGoOn(t *testing.T) {
	t.Parallel()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
	many := func(from, n int, sequence uint64) (marks []auth.Mark) {
		for i := range n {
			marks = append(marks, auth.Mark{Source: at(from + i), Sequence: sequence})
		}
		return marks
	}
	for _, tt := range []struct {
		name                string
		change              func(c *auth.Config)
		wasSent, told, sent uint64
		was, marks, want    []auth.Mark
	}{
		{"nothing told", nil, 5, 0, 5, many(1, 2, 5), nil, many(1, 2, 5)},
		{"nothing known", nil, 0, 7, 7, nil, many(1, 2, 5), many(1, 2, 5)},
		{"others told", nil, 9, 7, 9, many(1, 1, 5), many(2, 1, 6), append(many(1, 1, 5), many(2, 1, 6)...)},
		{"older told", monotonic, 9, 7, 9, many(1, 1, 5), many(1, 1, 4), many(1, 1, 5)},
		{"newer told, for good", monotonic, 9, 11, 11, many(1, 1, 5), many(1, 1, 6), many(1, 1, 6)},
		{"newer told, and our own clock was set back since", nil, 9, 11, 9, many(1, 1, 5), many(1, 1, 6), many(1, 1, 6)},
		{"too many", nil, 1, 1, 1, many(1, 20, 5), many(101, 20, 6), append(many(1, 20, 5), many(101, 12, 6)...)},
	} {
		was, is := newHMAC(t, tt.change), newHMAC(t, tt.change)
		was.Resume(tt.wasSent, tt.was)
		is.Resume(tt.told, tt.marks)
		is.GoOn(&was.Replay)
		if diff := cmp.Diff(tt.want, is.Marks(), cmpopts.EquateComparable(netip.Addr{})); diff != "" || is.Sent() != tt.sent {
			t.Errorf("%s: sent %d, want %d, marks (-want +got):\n%s", tt.name, is.Sent(), tt.sent, diff)
		}
	}
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
		if _, problem := in.Verify(p, n, src, at); problem != want {
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
	fresh.Resume(0, in.Marks())
	for name, h := range map[string]*auth.HMAC{"itself": in, "another process": fresh} {
		p, n, src := made(0, noon)
		if _, problem := h.Verify(p, n, src, noon); problem != auth.Replayed {
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
