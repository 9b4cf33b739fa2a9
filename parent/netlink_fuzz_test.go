package parent

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// netlinkMessage is a message of the kernel's, of that many bytes whatever its
// header says.
func netlinkMessage(kind uint16, sequence, port uint32, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = append(binary.NativeEndian.AppendUint32(b, port), body...)
	return append(b, make([]byte, -len(b)&3)...)
}

// addressReport is what the kernel says of an address, as a request of ours does.
func addressReport(kind uint16, port uint32, dev int, a vaddr, proto uint8, more ...*nl.RtAttr) []byte {
	req := addrRequest(int(kind), 0, dev, a)
	var body []byte
	for _, part := range req.Data {
		body = append(body, part.Serialize()...)
	}
	if i := bytes.Index(body, nl.NewRtAttr(facts.IFAProto, []byte{facts.Protocol}).Serialize()[:4]); i >= 0 {
		body[i+4] = proto
	}
	for _, m := range more {
		body = append(body, m.Serialize()...)
	}
	return netlinkMessage(kind, 0, port, body)
}

// routeReport is what the kernel says of a route.
func routeReport(kind uint16, to netip.Prefix) []byte {
	body := make([]byte, unix.SizeofRtMsg)
	body[0], body[1] = unix.AF_INET, byte(to.Bits())
	if to.Addr().Is6() {
		body[0] = unix.AF_INET6
	}
	return netlinkMessage(kind, 0, 0, append(body, nl.NewRtAttr(unix.RTA_DST, to.Addr().AsSlice()).Serialize()...))
}

// following makes a monitor that follows everything.
func following(port uint32) *kernel {
	k := &kernel{destinations: map[netip.Prefix]bool{netip.MustParsePrefix("192.0.2.0/24"): true}}
	k.theirs = theirs{port: port, armed: true, changed: map[placed]addrMsg{}, lost: map[placed]addrMsg{}, removed: []placed{{3, netip.MustParsePrefix("10.9.0.254/24")}}}
	return k
}

// FuzzReports: whatever is in a report of the kernel's, the monitor comes to an
// end, passes over nothing but what it knows to be of no interest, and remembers
// addresses under their own names alone, word for word and not in the buffer of
// the next report.
func FuzzReports(f *testing.F) {
	const port = 77
	theirs := vaddr{Prefix: netip.MustParsePrefix("10.9.0.254/24")}
	six := vaddr{Prefix: netip.MustParsePrefix("2001:db8::254/64"), NoPrefixRoute: true, Lifetime: 10}
	again := nl.NewRtAttr(unix.IFA_CACHEINFO, append(make([]byte, 8), 1, 0, 0, 0, 2, 0, 0, 0))
	put, taken := addressReport(unix.RTM_NEWADDR, 0, 3, theirs, 0), addressReport(unix.RTM_DELADDR, port, 3, theirs, 0)
	for _, pair := range [][2][]byte{
		{put, taken},
		{put, addressReport(unix.RTM_NEWADDR, port, 3, theirs, facts.Protocol, again)},
		{addressReport(unix.RTM_NEWADDR, port, 4, six, facts.Protocol, again), addressReport(unix.RTM_DELADDR, 0, 4, six, 0)},
		{routeReport(unix.RTM_NEWROUTE, netip.MustParsePrefix("192.0.2.0/24")), routeReport(unix.RTM_DELROUTE, netip.MustParsePrefix("2001:db8::/32"))},
		{slices.Concat(put, taken, put), netlinkMessage(unix.RTM_NEWLINK, 0, 0, make([]byte, unix.SizeofIfInfomsg))},
		{put[:len(put)-5], netlinkMessage(unix.RTM_NEWROUTE, 0, 0, []byte{2, 24})},
		{nil, netlinkMessage(unix.RTM_NEWADDR, 0, 0, nil)},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		k := following(port)
		buf := make([]byte, max(len(first), len(second)))
		for _, datagram := range [][]byte{first, second} {
			n := copy(buf, datagram)
			if !k.read(buf[:n]) {
				passedOver(t, k, datagram)
			}
		}
		clear(buf)
		for _, kept := range []map[placed]addrMsg{k.theirs.lost, k.theirs.changed} {
			for key, report := range kept {
				a, err := facts.ParseAddress(report)
				if err != nil || !key.prefix.IsValid() || key != (placed{a.Index, a.Prefix}) {
					t.Errorf("%v stands for %x: %+v, %v", key, report, a, err)
				}
				if !bytes.Contains(first, report) && !bytes.Contains(second, report) {
					t.Errorf("%v: %x is in no report", key, report)
				}
			}
		}
		for key, report := range k.theirs.changed {
			if a, _ := facts.ParseAddress(report); a.Proto == facts.Protocol {
				t.Errorf("%v is ours: %x", key, report)
			}
		}
	})
}

// passedOver looks what a datagram has in it of which nobody was told.
func passedOver(t *testing.T, k *kernel, datagram []byte) {
	t.Helper()
	reports, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		t.Errorf("damaged, and passed over: %x", datagram)
	}
	for _, m := range reports {
		switch m.Header.Type {
		case unix.RTM_NEWADDR: // one of ours that was put again
			if !bytes.Contains(m.Data, []byte{facts.Protocol}) && !bytes.Contains(m.Data, []byte("rvr")) && !bytes.Contains(m.Data, anchor.Prefix.Addr().AsSlice()) {
				t.Errorf("an address of somebody else's: %x", m.Data)
			}
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			for to := range k.destinations {
				if whole := routeReport(m.Header.Type, to)[unix.NLMSG_HDRLEN:]; bytes.Equal(m.Data, whole) {
					t.Errorf("a route of ours: %x", m.Data)
				}
			}
		default:
			t.Errorf("a message of type %d: %x", m.Header.Type, m.Data)
		}
	}
}

// FuzzAnswers: whatever stands among the kernel's answers to a request, it comes
// to an end, and the next request is answered with its own error.
func FuzzAnswers(f *testing.F) {
	ack := func(sequence uint32, errno unix.Errno) []byte {
		body := binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
		return netlinkMessage(unix.NLMSG_ERROR, sequence, 0, append(body, make([]byte, unix.NLMSG_HDRLEN)...))
	}
	f.Add([]byte(nil))
	f.Add(ack(1, 0))
	f.Add(slices.Concat(ack(0, unix.EPERM), ack(2, unix.EEXIST), ack(1, 0)))
	f.Add(ack(1, 0)[:18])
	f.Add(netlinkMessage(unix.NLMSG_ERROR, 1, 0, []byte{1}))
	f.Add(netlinkMessage(unix.NLMSG_DONE, 1, 0, make([]byte, 4)))
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
		k := &kernel{requests: pair[0], monitor: -1, inet: -1, buf: make([]byte, 64<<10)}
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
