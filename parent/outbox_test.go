package parent

import (
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// wire stands for an interface: it notes what is sent, has room for so many
// frames, and keeps advertisements in its queue when told to.
type wire struct {
	sent  [][]byte
	room  int // -1: any number
	keep  bool
	queue []frames.Handed
}

func (w *wire) put(frame []byte) error {
	if w.room == 0 {
		return frames.ErrBusy
	}
	w.room--
	w.sent = append(w.sent, slices.Clone(frame))
	return nil
}

func (w *wire) Advertise(frame []byte) error { return w.put(frame) }
func (w *wire) Announce(frame []byte) error  { return w.put(frame) }
func (w *wire) HandedOver(of any, at int64)  { w.queue = append(w.queue, frames.Handed{Of: of, At: at}) }
func (w *wire) Close()                       {}
func (w *wire) Keeps(of any, since int64) bool {
	return slices.ContainsFunc(w.queue, func(h frames.Handed) bool { return (of == nil || h.Of == of) && h.At <= since })
}
func (w *wire) Left() (out []frames.Handed) {
	if !w.keep {
		out, w.queue = w.queue, nil
	}
	return out
}

// said are the last bytes of the frames that were sent.
func (w *wire) said() (s string) {
	for _, f := range w.sent {
		s += string(strings.TrimRight(string(f), "\x00")[len(strings.TrimRight(string(f), "\x00"))-1])
	}
	return s
}

const testLease = 300 * time.Millisecond

// outboxed is a daemon with two links and a held slot on each.
func outboxed() (d *daemon, wires [2]*wire) {
	d = &daemon{now: int64(time.Hour), leaseCheck: never, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for i := range 2 {
		wires[i] = &wire{room: -1}
		s := &slot{held: true, grant: grant{slot: ipc.Slot(i), link: ipc.Link(i), vrid: uint8(i + 1), lease: testLease, repeat: 3}}
		for a := range 3 {
			s.addrs = append(s.addrs, conf.Address{Addr: netip.MustParseAddr("10.9." + string(rune('0'+i)) + "." + string(rune('1'+a)))})
		}
		d.slots = append(d.slots, s)
		d.links = append(d.links, &link{id: ipc.Link(i), linkName: linkName{"eth", ipc.IPv4}, tx: wires[i], index: i + 1, slots: []*slot{s}, told: ipc.LinkState{Up: true}})
	}
	return d, wires
}

// pass lets time pass, and what is due happen.
func (d *daemon) pass(by time.Duration) {
	d.confirm()
	for end := d.now + int64(by); ; {
		next := never
		if d.confirmAt > 0 {
			next = d.confirmAt
		}
		for _, l := range d.links {
			next = min(next, l.out.due())
		}
		if next > end {
			d.now = end
			return
		}
		d.now = max(next, d.now+1)
		d.leasesDue()
		_ = d.due()
	}
}

// TestBusyLinkAlone: a link that takes no frames keeps no other from sending,
// its lease is not prolonged, and it sends the newest when it has room.
func TestBusyLinkAlone(t *testing.T) {
	t.Parallel()
	d, wires := outboxed()
	d.respawn = never
	wires[0].room = 0
	begin := d.now
	for i := range 4 {
		d.now = begin + int64(i)*int64(testLease)/3
		for k, l := range d.links {
			d.transmit(d.slots[k], l, 3, []byte{byte(1 + i)})
		}
		d.leasesDue()
		_ = d.due()
	}
	if want := d.now + int64(testLease); d.slots[1].expires != want || wires[1].said() != "\x01\x02\x03\x04" {
		t.Errorf("the other link: sent %q, lease %v from now, want %v", wires[1].said(), time.Duration(d.slots[1].expires-d.now), testLease)
	}
	if d.slots[0].expires != 0 || len(d.links[0].out.adverts) != 1 {
		t.Errorf("the busy link: lease until %d, %d wait", d.slots[0].expires, len(d.links[0].out.adverts))
	}
	wires[0].room = -1
	d.pass(2 * time.Millisecond)
	if wires[0].said() != "\x04" || d.slots[0].expires < d.now {
		t.Errorf("with room: sent %q, lease %v from now", wires[0].said(), time.Duration(d.slots[0].expires-d.now))
	}
}

// TestKeptBack: what the interface keeps in its queue prolongs nothing until
// it has left, and then from when it was sent.
func TestKeptBack(t *testing.T) {
	t.Parallel()
	d, wires := outboxed()
	d.respawn = never
	wires[0].keep = true
	sent := d.now
	d.transmit(d.slots[0], d.links[0], 3, []byte{1})
	d.pass(testLease / 2)
	if d.slots[0].expires != 0 || !d.holdsBack(d.slots[0]) || d.holdsBack(d.slots[1]) {
		t.Errorf("lease until %d, held back %v and %v", d.slots[0].expires, d.holdsBack(d.slots[0]), d.holdsBack(d.slots[1]))
	}
	wires[0].keep = false
	d.pass(2 * time.Millisecond)
	if d.slots[0].expires != sent+int64(testLease) || d.holdsBack(d.slots[0]) {
		t.Errorf("lease until %v after it was sent", time.Duration(d.slots[0].expires-sent))
	}
}

// TestLastMoment: a lease that ends right behind an advertisement ends because
// of who advertised so late; the interface has not had the time to send it, and
// is not given up.
func TestLastMoment(t *testing.T) {
	t.Parallel()
	for _, how := range []func(w *wire){func(w *wire) { w.keep = true }, func(w *wire) { w.room = 0 }} {
		d, wires := outboxed()
		d.respawn = never
		how(wires[0])
		s, l := d.slots[0], d.links[0]
		d.transmit(s, l, 3, []byte{1})
		d.pass(2 * time.Millisecond)
		if why := d.blame(s); l.out.choked || !strings.Contains(why, "network process") {
			t.Errorf("given up after two milliseconds: %v, because %s", l.out.choked, why)
		}
		d.pass(testLease / 2)
		if why := d.blame(s); !l.out.choked || !strings.Contains(why, "interface") {
			t.Errorf("given up after half a lease: %v, because %s", l.out.choked, why)
		}
	}
}

// TestChoked: a link that is given up is down until frames leave it for a while.
func TestChoked(t *testing.T) {
	t.Parallel()
	d, wires := outboxed()
	d.respawn = never
	l := d.links[0]
	wires[0].room = 3
	d.choke(l)
	l.again = 0
	d.pass(3 * time.Second)
	if !l.out.choked || l.again != 0 {
		t.Fatal("taken back after three frames")
	}
	if d.settled(l, true) {
		t.Error("up while it takes no frames")
	}
	if wires[0].room = -1; len(wires[0].sent) != 3 {
		t.Errorf("%d frames", len(wires[0].sent))
	}
	d.pass(time.Duration(chokedRetry * (chokedProofs - 1)))
	if !l.out.choked {
		t.Error("taken back too early")
	}
	d.pass(time.Duration(chokedRetry * 4))
	if l.out.choked || l.again == 0 {
		t.Error("not taken back")
	}
}

// TestAnnouncementsWait: the first round goes out as far as there is room, the
// others with their distance; nothing is lost to a busy interface, and
// advertisements go first.
func TestAnnouncementsWait(t *testing.T) {
	t.Parallel()
	d, wires := outboxed()
	d.respawn = never
	s, l := d.slots[0], d.links[0]
	wires[0].room = 2
	d.announceSlot(s, l, 3, true)
	d.transmit(s, l, 3, []byte{9})
	if len(wires[0].sent) != 2 {
		t.Fatalf("%d frames, room for 2", len(wires[0].sent))
	}
	d.pass(time.Second)
	wires[0].room = 1
	d.pass(2 * time.Millisecond)
	if last := wires[0].sent[2]; len(last) != 1 {
		t.Errorf("an announcement goes before the advertisement: %x", last)
	}
	wires[0].room = -1
	d.pass(time.Second)
	times := make(map[byte]int)
	for _, f := range wires[0].sent {
		if len(f) > 1 {
			times[f[31]]++ // of the sender's address
		}
	}
	for i := range byte(3) {
		if times[1+i] != 3 {
			t.Errorf("address %d announced %d times, want 3", 1+i, times[1+i])
		}
	}
	d.announceSlot(s, l, 3, false)
	s.held = false
	n := len(wires[0].sent)
	d.pass(time.Second)
	if len(wires[0].sent) != n || len(l.out.again)+len(l.out.urgent) != 0 {
		t.Errorf("%d announcements after the release, %d wait", len(wires[0].sent)-n, len(l.out.again))
	}
}

// TestPace: announcements of an interface keep their distance, configured or
// not, and those of another do not wait for them.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, pace := range []time.Duration{0, 10 * time.Millisecond} {
		d, wires := outboxed()
		d.respawn = never
		for k, l := range d.links {
			d.slots[k].pace = pace
			d.announceSlot(d.slots[k], l, 3, false)
		}
		begin := d.now
		for _, l := range d.links {
			d.drain(l)
		}
		burst := max(1, announceBurst*boolInt(pace == 0))
		for k, w := range wires {
			if len(w.sent) != burst {
				t.Errorf("distance %v, link %d: %d frames at once, want %d", pace, k, len(w.sent), burst)
			}
		}
		for len(wires[0].sent) < 9 && d.now < begin+int64(time.Second) {
			d.pass(time.Millisecond)
		}
		rest, least := 9-burst, pace*time.Duration(8)
		if pace == 0 {
			least = time.Duration(announceRest) * time.Duration(rest/burst)
		}
		if took := time.Duration(d.now - begin); took < least || took > least+5*time.Millisecond {
			t.Errorf("distance %v: 9 frames in %v, want %v", pace, took, least)
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestSuccessor: what a reload has put in a slot's place announces what
// remained, and what it has removed is not announced.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	d, wires := outboxed()
	d.respawn = never
	old := d.slots[0]
	d.announceSlot(old, d.links[0], 3, false)
	next := &slot{held: true, grant: old.grant}
	next.addrs = next.addrs[:1]
	d.slots = []*slot{next, nil}
	d.announceSlot(&slot{held: true, grant: grant{slot: 1}}, d.links[1], 3, false)
	d.pass(time.Second)
	if len(wires[0].sent) != 3 {
		t.Errorf("%d frames of one address, want 3", len(wires[0].sent))
	}
	if d.successor(&slot{grant: grant{slot: 1}}) != nil {
		t.Error("a slot that was removed has a successor")
	}
}
