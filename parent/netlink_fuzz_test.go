package parent

import (
	"bytes"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/lab/reports"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// addressReport is what the kernel says of an address, as a request of ours does.
func addressReport(kind uint16, port uint32, dev int, a vaddr, proto uint8, more ...*nl.RtAttr) []byte {
	family, ip := unix.AF_INET, a.Prefix.Addr().AsSlice()
	if a.Prefix.Addr().Is6() {
		family = unix.AF_INET6
	}
	msg := nl.NewIfAddrmsg(family)
	msg.Index, msg.Prefixlen = uint32(dev), uint8(a.Prefix.Bits())
	body := msg.Serialize()
	for _, attr := range []*nl.RtAttr{nl.NewRtAttr(unix.IFA_LOCAL, ip), nl.NewRtAttr(unix.IFA_ADDRESS, ip), nl.NewRtAttr(facts.IFAProto, []byte{proto})} {
		body = append(body, attr.Serialize()...)
	}
	for _, m := range more {
		body = append(body, m.Serialize()...)
	}
	return reports.Message(kind, 0, port, body)
}

// following makes a monitor, and what follows addresses, which follow everything.
func following(port uint32) (*monitor, *foreignAddresses) {
	k := &monitor{}
	t := &foreignAddresses{port: port, armed: true, changed: map[placed]addrMsg{}, lost: map[placed]addrMsg{}, removed: []placed{{3, netip.MustParsePrefix("10.9.0.254/24")}}}
	return k, t
}

// FuzzReports: whatever is in a report of the kernel's, the monitor comes to an
// end, passes over nothing but what it knows to be of no interest, and remembers
// addresses under their own names alone, word for word and not in the buffer of
// the next report.
func FuzzReports(f *testing.F) {
	const port = 77
	foreign := vaddr{Prefix: netip.MustParsePrefix("10.9.0.254/24")}
	six := vaddr{Prefix: netip.MustParsePrefix("2001:db8::254/64"), NoPrefixRoute: true, Lifetime: 10}
	again := nl.NewRtAttr(unix.IFA_CACHEINFO, append(make([]byte, 8), 1, 0, 0, 0, 2, 0, 0, 0))
	put, taken := addressReport(unix.RTM_NEWADDR, 0, 3, foreign, 0), addressReport(unix.RTM_DELADDR, port, 3, foreign, 0)
	for _, pair := range [][2][]byte{
		{put, taken},
		{put, addressReport(unix.RTM_NEWADDR, port, 3, foreign, facts.Protocol, again)},
		{addressReport(unix.RTM_NEWADDR, port, 4, six, facts.Protocol, again), addressReport(unix.RTM_DELADDR, 0, 4, six, 0)},
		{slices.Concat(put, taken, put), reports.Message(unix.RTM_NEWLINK, 0, 0, make([]byte, unix.SizeofIfInfomsg))},
		{put[:len(put)-5], reports.Message(unix.RTM_NEWROUTE, 0, 0, []byte{2, 24})},
		{nil, reports.Message(unix.RTM_NEWADDR, 0, 0, nil)},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		k, of := following(port)
		buf := make([]byte, max(len(first), len(second)))
		for _, datagram := range [][]byte{first, second} {
			n := copy(buf, datagram)
			of.follow(buf[:n])
			if any, urgent := k.read(buf[:n], func(index int) bool { return index == 3 }); !any && urgent {
				t.Errorf("urgent, and nothing for us: %x", datagram)
			} else if !any {
				passedOver(t, datagram)
			}
		}
		clear(buf)
		for _, kept := range []map[placed]addrMsg{of.lost, of.changed} {
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
		for key, report := range of.changed {
			if a, _ := facts.ParseAddress(report); a.Proto == facts.Protocol {
				t.Errorf("%v is ours: %x", key, report)
			}
		}
	})
}

// passedOver looks what a datagram has in it of which nobody was told.
func passedOver(t *testing.T, datagram []byte) {
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
		default:
			t.Errorf("a message of type %d: %x", m.Header.Type, m.Data)
		}
	}
}
