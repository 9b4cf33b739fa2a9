package kernel

import (
	"encoding/binary"
	"slices"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/lab/reports"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// FuzzAnswers: whatever stands among the kernel's answers to a request, it comes
// to an end, and the next request is answered with its own error.
func FuzzAnswers(f *testing.F) {
	ack := func(sequence uint32, errno unix.Errno) []byte {
		body := binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
		return reports.Message(unix.NLMSG_ERROR, sequence, 0, append(body, make([]byte, unix.NLMSG_HDRLEN)...))
	}
	f.Add([]byte(nil))
	f.Add(ack(1, 0))
	f.Add(slices.Concat(ack(0, unix.EPERM), ack(2, unix.EEXIST), ack(1, 0)))
	f.Add(ack(1, 0)[:18])
	f.Add(reports.Message(unix.NLMSG_ERROR, 1, 0, []byte{1}))
	f.Add(reports.Message(unix.NLMSG_DONE, 1, 0, make([]byte, 4)))
	f.Fuzz(func(t *testing.T, noise []byte) {
		if len(noise) > 32<<10 {
			return
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		k := Over(pair[0])
		say := func(datagrams ...[]byte) {
			for _, b := range datagrams {
				if _, err := unix.Write(pair[1], b); len(b) > 0 && err != nil {
					t.Fatal(err)
				}
			}
		}
		up := func() []*nl.NetlinkRequest { return []*nl.NetlinkRequest{upRequest(3, unix.IFF_UP)} }
		say(noise, ack(1, 0))
		_ = k.exchange(up())
		// Of the noise nothing may count as an answer to what is asked later.
		k.seq = 1 << 20
		say(ack(1<<20+1, unix.EADDRINUSE))
		if answersTo(noise, 1<<20+1) {
			return
		}
		if err := k.exchange(up()); err == nil || err.Error() != unix.EADDRINUSE.Error() {
			t.Errorf("the next request: %v", err)
		}
	})
}

// answersTo says whether one of a datagram's messages is as an answer to a request
// with this number or a later one.
func answersTo(datagram []byte, sequence uint32) bool {
	messages, _ := syscall.ParseNetlinkMessage(datagram)
	return slices.ContainsFunc(messages, func(m syscall.NetlinkMessage) bool { return m.Header.Seq-sequence < 1<<31 })
}
