package ipc

import (
	"testing"

	"golang.org/x/sys/unix"
)

// hot are the paths taken for every packet and every turn, with the
// allocations they are allowed.
func hot(tb testing.TB) []struct {
	name string
	want float64
	f    func()
} {
	ours, fd, err := Pair()
	if err != nil {
		tb.Fatal(err)
	}
	theirs := FromFD(fd)
	tb.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	frame := Frame{Link: 1, Family: IPv4, Received: 1, Packet: make([]byte, 48)}
	advert := Advertise{Message: make([]byte, 20)}
	advertBytes := payload(advert)
	datagram, in := Append(nil, Header{Slot: NoSlot}, frame), make([]byte, 1000)
	scratch := make([]byte, 0, 1000)
	var batch Batch
	fds := []unix.PollFd{{Fd: int32(ours.FD()), Events: unix.POLLIN}}
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	read := func() {
		_, err := theirs.Recv(in)
		must(err)
	}
	return []struct {
		name string
		want float64
		f    func()
	}{
		{"Next, Check", 0, func() {
			h, p, _, err := Next(datagram)
			must(err)
			must(Check(h, len(p), FromParent, LaneFrames, PhaseRun))
		}},
		{"DecodeAdvertise", 0, func() { _ = DecodeAdvertise(advertBytes) }},
		{"Decode advertise", 1, func() { _, err := Decode(TypeAdvertise, advertBytes); must(err) }},
		{"Append pointer", 0, func() { scratch = Append(scratch[:0], Header{}, &frame) }},
		{"Append value", 1, func() { scratch = Append(scratch[:0], Header{}, frame) }},
		{"Batch of 10 pointers", 0, func() {
			for range 10 {
				batch.Add(Header{Slot: 1}, &advert)
			}
			must(batch.Flush(ours.Send))
			read()
		}},
		{"Send and Recv", 0, func() { must(ours.Send(datagram)); read() }},
		{"Wait", 0, func() { _, err := Wait(fds, 1); must(err) }},
		{"Monotonic", 0, func() { _ = Monotonic() }},
	}
}

func TestAllocations(t *testing.T) { // not parallel: counts
	for _, h := range hot(t) {
		if got := testing.AllocsPerRun(100, h.f); got > h.want {
			t.Errorf("%s: %v allocations, want at most %v", h.name, got, h.want)
		}
	}
}

func BenchmarkHot(b *testing.B) {
	for _, h := range hot(b) {
		b.Run(h.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.f()
			}
		})
	}
}
