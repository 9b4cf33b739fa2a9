package sniff

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/capture"
	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// sniffed is a sniffer with a child that is this test.
func sniffed(t *testing.T) (s *sniffer, other *ipc.Conn, out *bytes.Buffer) {
	t.Helper()
	ours, fd, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	other = ipc.FromFD(fd)
	t.Cleanup(func() { ours.Close(); other.Close() })
	out = &bytes.Buffer{}
	return &sniffer{Options: Options{Out: out}, child: &children.Child{Control: ours}, phase: ipc.PhaseSniff, datagram: make([]byte, ipc.MaxDatagram), left: -1}, other, out
}

// TestSniffHearsOnlyAnswers: whatever the sniffer's child says that is not one
// answer to the frame ends the sniffer, and shows nothing.
func TestSniffHearsOnlyAnswers(t *testing.T) {
	t.Parallel()
	frame := record{Record: capture.Record{Time: time.Unix(1, 0), LinkType: 1, Length: 60, Interface: "eth0", Frame: make([]byte, 60)}}
	message := func(h ipc.Header, ms ...ipc.Message) (b []byte) {
		for _, m := range ms {
			b = ipc.Append(b, h, m)
		}
		return b
	}
	h, shown := ipc.Header{Slot: ipc.NoSlot, Generation: 1}, sniffing.Shown{Text: []byte("a packet\n")}
	answer := message(h, shown)
	for name, datagram := range map[string][]byte{
		"hello":          message(h, ipc.Hello{Build: ipc.Build()}),
		"ready":          message(h, ipc.Ready{}),
		"ping":           message(h, ipc.Ping{}),
		"drain":          message(h, ipc.Drain{}),
		"acquire":        message(ipc.Header{Generation: 1}, ipc.Acquire{}),
		"advertise":      message(ipc.Header{Generation: 1}, ipc.Advertise{Message: make([]byte, 20)}),
		"announce":       message(ipc.Header{Generation: 1}, ipc.Announce{Count: 1}),
		"look":           message(ipc.Header{Generation: 1}, ipc.Look{Peer: netip.MustParseAddr("10.9.0.77")}),
		"of the parent":  message(h, sniffing.Capture{Interface: "eth0"}),
		"two":            bytes.Repeat(answer, 2),
		"and another":    append(bytes.Clone(answer), message(h, ipc.Ping{})...),
		"half":           answer[:len(answer)/2],
		"and a byte":     append(bytes.Clone(answer), 0),
		"of a slot":      message(ipc.Header{Slot: 1, Generation: 1}, shown),
		"of no type":     append([]byte{0xff, 0xff}, answer[2:]...),
		"nothing but 00": make([]byte, len(answer)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, other, out := sniffed(t)
			if err := other.Send(datagram); err != nil {
				t.Fatal(err)
			}
			if err := s.show(frame); err == nil || out.Len() > 0 {
				t.Errorf("it goes on, with %v, and shows %q", err, out)
			}
		})
	}
	s, other, out := sniffed(t)
	if err := other.Send(message(h, sniffing.Shown{Text: []byte("\x1b[2Ja packet\xff\n")})); err != nil {
		t.Fatal(err)
	}
	if err := s.show(frame); err != nil || out.String() != "?[2Ja packet?\n" || strings.Contains(out.String(), "\x1b") {
		t.Errorf("an answer: %v, %q", err, out)
	}
}
