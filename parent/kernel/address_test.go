package kernel

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// TestMarks: who looks for our addresses looks for what we put there.
func TestMarks(t *testing.T) {
	t.Parallel()
	if Protocol != facts.Protocol || markAttribute != facts.IFAProto {
		t.Errorf("protocol %d in attribute %d, looked for: %d in %d", Protocol, markAttribute, facts.Protocol, facts.IFAProto)
	}
}

// TestNoDuplicateDetection: a virtual address is put on a device without
// duplicate address detection, which another router's answer would fail (RFC
// 5798 §8.2.2).
func TestNoDuplicateDetection(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"fe80::5e00:20a/64", "2001:db8::a/64", "10.9.0.254/24"} {
		a := Address{Prefix: netip.MustParsePrefix(prefix)}
		got := requestedFlags(t, addrRequest(unix.RTM_NEWADDR, 0, 7, a))
		if got != unix.IFA_F_NODAD {
			t.Errorf("%s: flags %#x, want %#x", prefix, got, unix.IFA_F_NODAD)
		}
		if got := requestedFlags(t, addrRequest(unix.RTM_DELADDR, 0, 7, a)); got != 0 {
			t.Errorf("%s: flags %#x in the request to take it off", prefix, got)
		}
	}
}

// requestedFlags are the address flags of a request, 0 where it has none.
func requestedFlags(t *testing.T, req *nl.NetlinkRequest) (flags uint32) {
	t.Helper()
	b := req.Serialize()[unix.NLMSG_HDRLEN:]
	attrs, err := nl.ParseRouteAttr(b[unix.SizeofIfAddrmsg:])
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.IFA_FLAGS {
			flags = binary.NativeEndian.Uint32(a.Value)
		}
	}
	return flags
}
