package netproc

import (
	"errors"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// steady is what happens again and again: the bytes are made beforehand, the
// instant in them is at fixed place.
type steady struct {
	*parent
	datagram []byte
}

func newSteady(d *parent, packet []byte) *steady {
	h := ipc.Header{Slot: ipc.NoSlot, Generation: 1}
	return &steady{d, ipc.Append(nil, h, ipc.Frame{Family: ipc.IPv4, Received: start, Packet: packet})}
}

// heardAll reads and forgets.
func (s *steady) heardAll() (n int) {
	for {
		_, err := s.control.Recv(s.buf)
		if errors.Is(err, ipc.ErrAgain) {
			return n
		}
		n++
	}
}

func (s *steady) receive() error {
	if err := s.frames.Send(s.datagram); err != nil {
		return err
	}
	r, err := s.p.wait()
	if err != nil {
		return err
	}
	return s.p.turn(r)
}

func (s *steady) advertise() error {
	s.now = s.p.next()
	r, err := s.p.wait()
	if err != nil {
		return err
	}
	return s.p.turn(r)
}

// TestSteadyStateDoesNotAllocate: a Backup that hears its Active, an Active
// that advertises, and whoever hears nonsense.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	t.Run("Backup hears the Active", func(t *testing.T) {
		s := newSteady(configured(t, record()), advertisement(peer, good(200)))
		noAllocations(t, s.receive)
		if got, want := s.p.next(), start+downInterval; got != want {
			t.Errorf("due at %d, want %d", got, want)
		}
	})
	t.Run("Active advertises", func(t *testing.T) {
		s := newSteady(active(t, record()), nil)
		s.now += 10 * second // the second announcement is over
		s.turn()
		said := 0
		noAllocations(t, func() error {
			err := s.advertise()
			said += s.heardAll()
			return err
		})
		if said < 1000 {
			t.Errorf("%d datagrams, want one each time", said)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		s := newSteady(configured(t, record()), advertisement(ours, good(200)))
		noAllocations(t, s.receive)
		if s.p.drops[report.DropOwnFrame].unreported < 1000 {
			t.Error("nothing was dropped")
		}
	})
}

func noAllocations(t *testing.T, f func() error) {
	t.Helper()
	allocs := testing.AllocsPerRun(1000, func() {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("allocations: got %v, want 0", allocs)
	}
}

// BenchmarkReceive is a turn with one packet; the lane's system calls are in it.
func BenchmarkReceive(b *testing.B) {
	s := newSteady(configured(b, record()), advertisement(peer, good(200)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.receive(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJudge is the way of a packet from its first check to its router.
func BenchmarkJudge(b *testing.B) {
	d := configured(b, record())
	f := ipc.Frame{Family: ipc.IPv4, Received: start, Packet: advertisement(peer, good(200))}
	b.ReportAllocs()
	for b.Loop() {
		d.p.packet(f)
	}
}

// BenchmarkAdvertise is a turn in which 250 virtual routers advertise.
func BenchmarkAdvertise(b *testing.B) {
	d := newParent(b)
	say := []any{ipc.Hello{Build: ipc.Build()}}
	for i := range 250 {
		r := record()
		r.VRID, r.Priority, r.AnnounceRepeat = uint8(i+1), 255, 0
		say = append(say, ipc.Slot(i), r)
	}
	d.say(append(say, linkUp, ipc.Commit{Routers: 250})...)
	d.turn()
	s := newSteady(d, nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.advertise(); err != nil {
			b.Fatal(err)
		}
		s.heardAll()
	}
}
