package parent

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/telling"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// wire stands for an interface: it notes what is sent, has room for so many
// frames, and keeps advertisements in its queue when told to.
type cable struct {
	sent  [][]byte
	room  int // -1: any number
	keep  bool
	queue []frames.QueuedFrame
}

func (w *cable) put(frame []byte) error {
	if w.room == 0 {
		return frames.ErrBusy
	}
	w.room--
	w.sent = append(w.sent, slices.Clone(frame))
	return nil
}

func (w *cable) Advertise(frame []byte) error { return w.put(frame) }
func (w *cable) Announce(frame []byte) error  { return w.put(frame) }
func (w *cable) Queued(of any, at int64) {
	w.queue = append(w.queue, frames.QueuedFrame{Of: of, At: at})
}
func (w *cable) Close() {}
func (w *cable) Keeps(of any, since int64) bool {
	return slices.ContainsFunc(w.queue, func(h frames.QueuedFrame) bool { return (of == nil || h.Of == of) && h.At <= since })
}
func (w *cable) Left() (out []frames.QueuedFrame) {
	if !w.keep {
		out, w.queue = w.queue, nil
	}
	return out
}

const testLease = 300 * time.Millisecond

// outboxed is a daemon with two links and a held slot on each.
func outboxed() (d *daemon, wires [2]*cable) {
	d = &daemon{keeper: unread(), broker: broker{leasing: leasing{leaseCheck: never}, now: int64(time.Hour), log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	for i := range 2 {
		wires[i] = &cable{room: -1}
		s := &slot{page: page{held: true, grant: grant{slot: ipc.Slot(i), link: ipc.Link(i), vrid: uint8(i + 1), lease: testLease}}}
		for a := range 3 {
			s.addrs = append(s.addrs, conf.Address{Addr: netip.MustParseAddr("10.9." + string(rune('0'+i)) + "." + string(rune('1'+a)))})
		}
		d.slots = append(d.slots, s)
		d.links = append(d.links, &link{wire: wire{id: ipc.Link(i), linkName: linkName{"eth", ipc.IPv4}, tx: wires[i], index: i + 1, mtu: 1500, told: ipc.LinkState{Up: true}}, slots: []*slot{s}})
	}
	d.show()
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
		_ = d.due(d.now)
	}
}

// TestFull: what a link has no room for is answered so, takes nothing from its
// limit and prolongs nothing; nothing is tried again before its time, and another
// link does not wait.
func TestFull(t *testing.T) {
	t.Parallel()
	d, wires := outboxed()
	d.respawn = never
	d.generation, d.child = 1, &child{Child: &children.Child{}, phase: ipc.PhaseRun}
	for _, s := range d.slots {
		s.grant.version, s.grant.interval, s.grant.ceiling = 3, time.Second, 100
		s.grant.advert, s.grant.announce = rate{Period: time.Second, Burst: 2}, rate{Period: time.Second, Burst: 9}
	}
	ask := func(slot ipc.Slot, m ipc.Message) string {
		t.Helper()
		h := ipc.Header{Type: m.Type(), Slot: slot, Generation: 1, Sequence: 5}
		if err := d.request(h, m); err != nil {
			t.Fatal(err)
		}
		said := ""
		_ = d.outgoing.Flush(func(b []byte) error {
			h, payload, _, err := ipc.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			m, err := telling.Decode(h.Type, payload)
			said = fmt.Sprint(h.Slot, h.Sequence, m, err)
			return nil
		})
		return said
	}
	advert := func(slot int) ipc.Message {
		b := []byte{0x31, byte(slot + 1), 100, 3, 0, 100, 0, 0}
		for _, a := range d.slots[slot].addrs {
			b = append(b, a.Addr.AsSlice()...)
		}
		return ipc.Advertise{Message: b}
	}
	full := func(of ipc.Type, sent uint8) string {
		return fmt.Sprint(ipc.Slot(0), uint32(5), ipc.Result{Request: of, Code: ipc.CodeFull, Sent: sent}, error(nil))
	}
	wires[0].room = 2
	for _, step := range []struct {
		name string
		slot ipc.Slot
		m    ipc.Message
		want string
		sent int
	}{
		{"two of three", 0, ipc.Announce{Count: 3}, full(ipc.TypeAnnounce, 2), 2},
		{"none before its time", 0, ipc.Announce{First: 2, Count: 1}, full(ipc.TypeAnnounce, 0), 2},
		{"no advertisement either", 0, advert(0), full(ipc.TypeAdvertise, 0), 2},
		{"another link", 1, advert(1), "", 1},
		{"another link's announcement", 1, ipc.Announce{Count: 3}, "", 4},
	} {
		if got := ask(step.slot, step.m); got != step.want || len(wires[step.slot].sent) != step.sent {
			t.Errorf("%s: answered %q, %d frames; want %q, %d", step.name, got, len(wires[step.slot].sent), step.want, step.sent)
		}
	}
	d.confirm()
	if d.slots[0].expires != 0 || d.slots[1].expires == 0 {
		t.Errorf("leases until %d and %d", d.slots[0].expires, d.slots[1].expires)
	}
	wires[0].room = -1
	for range 100 {
		wires[0].room = 0
		d.now += outboxRetry
		ask(0, advert(0))
	}
	d.now += outboxRetry
	wires[0].room = -1
	if got := ask(0, advert(0)); got != "" || d.links[0].out.busySince != 0 {
		t.Errorf("with room, after a hundred attempts: %q, busy since %d", got, d.links[0].out.busySince)
	}
	if got := ask(0, ipc.Announce{First: 2, Count: 1}); got != "" {
		t.Errorf("announced with room: %q", got)
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
	d.transmit(&d.slots[0].page, &d.links[0].wire, []byte{1})
	d.pass(testLease / 2)
	if d.slots[0].expires != 0 || !d.holdsBack(&d.slots[0].page) || d.holdsBack(&d.slots[1].page) {
		t.Errorf("lease until %d, held back %v and %v", d.slots[0].expires, d.holdsBack(&d.slots[0].page), d.holdsBack(&d.slots[1].page))
	}
	wires[0].keep = false
	d.pass(2 * time.Millisecond)
	if d.slots[0].expires != sent+int64(testLease) || d.holdsBack(&d.slots[0].page) {
		t.Errorf("lease until %v after it was sent", time.Duration(d.slots[0].expires-sent))
	}
}

// TestLastMoment: a lease that ends right behind an advertisement ends because
// of who advertised so late; the interface has not had the time to send it, and
// is not given up.
func TestLastMoment(t *testing.T) {
	t.Parallel()
	for _, how := range []func(w *cable){func(w *cable) { w.keep = true }, func(w *cable) { w.room = 0 }} {
		d, wires := outboxed()
		d.respawn = never
		how(wires[0])
		s, l := d.slots[0], d.links[0]
		d.transmit(&s.page, &l.wire, []byte{1})
		d.pass(2 * time.Millisecond)
		if why := d.blame(&s.page); l.out.choked || !strings.Contains(why, "network process") {
			t.Errorf("given up after two milliseconds: %v, because %s", l.out.choked, why)
		}
		d.pass(testLease / 2)
		d.transmit(&s.page, &l.wire, []byte{1}) // the child tries again
		if why := d.blame(&s.page); !l.out.choked || !strings.Contains(why, "interface") {
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
	d.choke(&l.wire)
	l.again = 0
	d.pass(3 * time.Second)
	if !l.out.choked || l.again != 0 {
		t.Fatal("taken back after three frames")
	}
	if d.upLongEnough(l, true) {
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

// TestSuccessor: a slot's successor is what a reload has put in its place.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	d, _ := outboxed()
	old := d.slots[0]
	next := &slot{page: page{held: true, grant: old.grant}}
	d.slots = []*slot{next, nil}
	d.show()
	if got := d.successor(&old.page); got != &next.page {
		t.Errorf("successor %p, want %p", got, next)
	}
	if d.successor(&page{grant: grant{slot: 1}}) != nil {
		t.Error("a slot that was removed has a successor")
	}
}

// TestAnnouncedWhileAcquired: what is to be announced of addresses that are taken in
// this turn is announced once they are there, also what the child has said later.
func TestAnnouncedWhileAcquired(t *testing.T) {
	t.Parallel()
	d, other, e := besieged(t)
	defer e.close()
	h := ipc.Header{Slot: 0, Generation: 2, Sequence: 1}
	for _, ms := range [][]ipc.Message{
		{ipc.Acquire{}, ipc.Announce{First: 0, Count: 1}},
		{ipc.Announce{First: 1, Count: 1}},
		{ipc.Announce{First: 0, Count: 2}},
	} {
		var b []byte
		for _, m := range ms {
			b = ipc.Append(b, h, m)
		}
		if err := other.Send(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.turn([fdCount]bool{fdControl: true}, -1); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, frame := range d.links[0].tx.(*cable).sent {
		got = append(got, netip.AddrFrom4([4]byte(frame[28:32])).String())
	}
	if want := []string{"10.9.0.254", "10.9.0.253", "10.9.0.254", "10.9.0.253"}; !slices.Equal(got, want) {
		t.Errorf("announced %q, want %q", got, want)
	}
}
