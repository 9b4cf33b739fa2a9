package netproc

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// wires is a parent whose interfaces have room for so many frames each; it notes
// what is sent, and when.
type wires struct {
	*parent
	room map[ipc.Link]int // none: any number
	sent map[ipc.Link][]frame
}

// frame is what was sent: "advertise" or the number of an address, of a VRID.
type frame struct {
	at   int64
	vrid uint8
	what string
}

// wired brings a process with virtual routers up to Active, each on its link,
// and forgets how.
func wired(t *testing.T, records ...ipc.Router) *wires {
	t.Helper()
	w := &wires{newParent(t), make(map[ipc.Link]int), make(map[ipc.Link][]frame)}
	say := []any{ipc.Hello{Build: ipc.Build()}}
	for i, r := range records {
		r.Priority = 255
		say = append(say, ipc.Slot(i), r, ipc.LinkState{Link: r.Link, Up: true, Primary: ours})
	}
	w.say(append(say, ipc.Commit{Routers: uint16(len(records))})...)
	w.pass(10 * time.Second)
	clear(w.sent)
	return w
}

// pass lets time pass, and answers as the parent does.
func (w *wires) pass(by time.Duration) {
	w.t.Helper()
	for end := w.now + int64(by); ; {
		if err := w.p.turn(ready{control: true, frames: true}); err != nil {
			w.t.Fatal(err)
		}
		if w.listen() {
			continue
		}
		if w.p.next() > end {
			w.now = end
			return
		}
		w.now = max(w.now, w.p.next())
	}
}

// listen carries out what is asked for, and says whether there was an answer.
func (w *wires) listen() (answered bool) {
	for {
		n, err := w.control.Recv(w.buf)
		if errors.Is(err, ipc.ErrAgain) {
			return answered
		} else if err != nil {
			w.t.Fatal(err)
		}
		for rest := w.buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				w.t.Fatal(err)
			}
			m, err := report.Decode(h.Type, payload)
			if err != nil {
				w.t.Fatal(err)
			}
			sent, whole := w.carry(w.p.at(h.Slot), m)
			if sent < whole {
				w.say(ipc.Header{Slot: h.Slot, Generation: w.generation, Sequence: h.Sequence}, ipc.Result{Request: h.Type, Code: ipc.CodeFull, Sent: uint8(sent)})
				answered = true
			}
		}
	}
}

// carry sends what there is room for, of so many frames.
func (w *wires) carry(r *router, m ipc.Message) (sent, whole int) {
	put := func(what string) bool {
		room, limited := w.room[r.record.Link]
		if limited && room == 0 {
			return false
		}
		w.room[r.record.Link] = room - 1
		if !limited {
			delete(w.room, r.record.Link)
		}
		w.sent[r.record.Link] = append(w.sent[r.record.Link], frame{w.now, r.record.VRID, what})
		return true
	}
	switch m := m.(type) {
	case ipc.Advertise:
		what := "advertise"
		if m.Message[2] == 0 {
			what = "goodbye"
		}
		if put(what) {
			return 1, 1
		}
		return 0, 1
	case ipc.Announce:
		for sent < int(m.Count) && put(fmt.Sprint(int(m.First)+sent)) {
			sent++
		}
		return sent, int(m.Count)
	}
	return 0, 0
}

// said lists what was sent on a link.
func (w *wires) said(l ipc.Link) (what []string) {
	for _, f := range w.sent[l] {
		what = append(what, f.what)
	}
	return what
}

// many is a virtual router with so many addresses, which are announced three times.
func many(link ipc.Link, vrid uint8, addresses int) ipc.Router {
	r := record()
	r.Link, r.VRID, r.AnnounceRepeat, r.AnnounceDelay, r.Addresses = link, vrid, 3, 0, nil
	for i := range addresses {
		r.Addresses = append(r.Addresses, netip.AddrFrom4([4]byte{10, 9, vrid, byte(1 + i)}))
	}
	return r
}

// TestBusyLinkAlone: a link without room keeps no other from sending, and sends
// one advertisement of each router when it has room.
func TestBusyLinkAlone(t *testing.T) {
	t.Parallel()
	w := wired(t, many(0, 7, 1), many(0, 8, 1), many(1, 9, 1))
	w.room[0] = 0
	w.pass(4 * time.Second)
	if got := w.said(1); len(got) != 4 {
		t.Errorf("the other link: %q, want 4 advertisements", got)
	}
	if got := w.said(0); len(got) != 0 {
		t.Errorf("without room: %q", got)
	}
	delete(w.room, 0)
	w.pass(2 * time.Millisecond)
	if diff := cmp.Diff([]string{"advertise", "advertise"}, w.said(0)); diff != "" {
		t.Errorf("with room (-want +got):\n%s", diff)
	}
	w.pass(3 * time.Second)
	if got := w.said(0); len(got) != 2+2*3 {
		t.Errorf("three seconds later: %q", got)
	}
}

// TestFullForMany: of many advertisements without room few are tried at a time,
// and all leave when there is room for few.
func TestFullForMany(t *testing.T) {
	t.Parallel()
	const routers = 50
	var records []ipc.Router
	for i := range routers {
		records = append(records, many(0, uint8(1+i), 1))
	}
	w := wired(t, records...)
	w.room[0] = 0
	w.pass(time.Second)
	sequence := w.p.sequence
	w.pass(100 * time.Millisecond)
	if tried := w.p.sequence - sequence; tried > 101*roomChunk {
		t.Errorf("%d attempts in 100 ms, want at most %d", tried, 101*roomChunk)
	}
	for range routers {
		w.room[0] = 1
		w.pass(time.Millisecond)
	}
	if got := w.sent[0]; len(got) != routers {
		t.Errorf("%d advertisements left, want %d", len(got), routers)
	}
	heard := make(map[uint8]bool)
	for _, f := range w.sent[0] {
		heard[f.vrid] = true
	}
	if len(heard) != routers {
		t.Errorf("%d routers advertised, want %d", len(heard), routers)
	}
}

// TestGoodbyeWaits: a goodbye that found no room leaves when there is some.
func TestGoodbyeWaits(t *testing.T) {
	t.Parallel()
	w := wired(t, many(0, 7, 1))
	w.room[0] = 0
	w.say(ipc.Slot(0), ipc.Owner{Ownership: ipc.OwnsSome})
	w.pass(100 * time.Millisecond)
	delete(w.room, 0)
	w.pass(2 * time.Second)
	if diff := cmp.Diff([]string{"goodbye"}, w.said(0)); diff != "" {
		t.Errorf("with room (-want +got):\n%s", diff)
	}
}

// TestAnnouncementsWait: the first round goes out as far as there is room, the
// others with their distance; nothing is lost to a busy interface, and
// advertisements go first.
func TestAnnouncementsWait(t *testing.T) {
	t.Parallel()
	w := wired(t, many(0, 7, 3))
	w.room[0] = 2
	w.say(ipc.Slot(0), ipc.Moved{Rounds: 3})
	w.pass(0)
	if diff := cmp.Diff([]string{"0", "1"}, w.said(0)); diff != "" {
		t.Errorf("room for two (-want +got):\n%s", diff)
	}
	w.pass(time.Second)
	w.room[0] = 1
	w.pass(2 * time.Millisecond)
	if got := w.said(0); !slices.Equal(got[2:], []string{"advertise"}) {
		t.Errorf("room for one: %q, want the advertisement", got[2:])
	}
	delete(w.room, 0)
	w.pass(900 * time.Millisecond)
	times := make(map[string]int)
	for _, what := range w.said(0) {
		times[what]++
	}
	if diff := cmp.Diff(map[string]int{"0": 3, "1": 3, "2": 3, "advertise": 1}, times); diff != "" {
		t.Errorf("with room (-want +got):\n%s", diff)
	}
}

// TestAnnouncesNoLonger: whoever is not Active any more announces nothing.
func TestAnnouncesNoLonger(t *testing.T) {
	t.Parallel()
	w := wired(t, many(0, 7, 3))
	w.say(ipc.Slot(0), ipc.Moved{Rounds: 3})
	w.pass(0)
	w.say(ipc.LinkState{Link: 0})
	clear(w.sent)
	w.pass(time.Second)
	if got := w.said(0); len(got) != 0 || len(w.p.waiting) != 0 {
		t.Errorf("announced %q, %d links wait", got, len(w.p.waiting))
	}
}

// TestPace: announcements of an interface keep their distance, configured or
// not, and those of another do not wait for them.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, pace := range []time.Duration{0, 10 * time.Millisecond} {
		a, b := many(0, 7, 5), many(1, 8, 5)
		a.AnnounceInterval, b.AnnounceInterval = int64(pace), int64(pace)
		w := wired(t, a, b)
		begin := w.now
		w.say(ipc.Slot(0), ipc.Moved{Rounds: 3}, ipc.Slot(1), ipc.Moved{Rounds: 3})
		w.pass(time.Second / 2)
		for l := range ipc.Link(2) {
			got := slices.DeleteFunc(w.sent[l], func(f frame) bool { return f.what == "advertise" })
			if len(got) != 15 {
				t.Fatalf("distance %v, link %d: %d announcements, want 15", pace, l, len(got))
			}
			// Five at once; then four, one, four, one: rounds are not mixed.
			want := []int64{0, 0, 0, 0, 0, 4, 4, 4, 4, 6, 8, 8, 8, 8, 10}
			if pace > 0 {
				want = nil
				for i := range 15 {
					want = append(want, int64(10*i))
				}
			}
			var at []int64
			for _, f := range got {
				at = append(at, (f.at-begin)/ms)
			}
			if diff := cmp.Diff(want, at); diff != "" {
				t.Errorf("distance %v, link %d (-want +got), ms:\n%s", pace, l, diff)
			}
		}
	}
}

// TestTurns: many routers repeat their announcements by turns.
func TestTurns(t *testing.T) {
	t.Parallel()
	w := wired(t, many(0, 7, 2), many(0, 8, 2), many(0, 9, 2), many(0, 10, 2), many(0, 11, 2))
	for i := range ipc.Slot(5) {
		w.say(i, ipc.Moved{Rounds: 2})
	}
	w.pass(100 * time.Millisecond)
	var order []uint8
	for _, f := range w.sent[0][10:] {
		order = append(order, f.vrid)
	}
	if diff := cmp.Diff([]uint8{7, 8, 9, 10, 11, 7, 8, 9, 10, 11}, order); diff != "" {
		t.Errorf("the second round (-want +got):\n%s", diff)
	}
}

// TestAnnouncedAfterReload: what a reload has left of a router's addresses is
// announced as often as was under way.
func TestAnnouncedAfterReload(t *testing.T) {
	t.Parallel()
	w := wired(t, many(0, 7, 3))
	w.say(ipc.Slot(0), ipc.Moved{Rounds: 3})
	w.pass(0)
	clear(w.sent)
	r := many(0, 7, 1)
	r.Priority = 255
	w.generation = 2
	w.say(ipc.Slot(0), r, ipc.Commit{Routers: 1})
	w.pass(100 * time.Millisecond)
	got := slices.DeleteFunc(w.said(0), func(what string) bool { return what == "advertise" })
	if len(got) < 2 || slices.ContainsFunc(got, func(what string) bool { return what != "0" }) {
		t.Errorf("announced %q, want the address that is left, two times or more", got)
	}
}
