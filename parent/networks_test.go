package parent

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestNetworks: the child is told of the networks of a link over IPv4, its own ones
// alone, and of none where they are too many; who reads the log is not.
func TestNetworks(t *testing.T) {
	t.Parallel()
	at := func(text string, proto int) addrInfo {
		return addrInfo{Index: 3, Prefix: netip.MustParsePrefix(text), Proto: uint8(proto), Primary: true}
	}
	var many []addrInfo
	for i := range ipc.MaxNetworks + 1 {
		many = append(many, at(fmt.Sprintf("10.%d.0.1/16", i), 0))
	}
	up := linkInfo{Index: 3, Name: "eth0", Up: true}
	for _, tt := range []struct {
		name   string
		family ipc.Family
		info   linkInfo
		addrs  []addrInfo
		want   int
	}{
		{"two", ipc.IPv4, up, []addrInfo{at("10.0.0.1/24", 0), at("10.1.0.1/16", 0), at("2001:db8::1/64", 0)}, 2},
		{"and a virtual one", ipc.IPv4, up, []addrInfo{at("10.0.0.1/24", 0), at("10.0.0.254/24", protoRVRRPD)}, 1},
		{"IPv6", ipc.IPv6, up, []addrInfo{at("fe80::1/64", 0)}, 0},
		{"down", ipc.IPv4, linkInfo{Index: 3, Name: "eth0"}, []addrInfo{at("10.0.0.1/24", 0)}, 0},
		{"as many as there is room for", ipc.IPv4, up, many[1:], ipc.MaxNetworks},
		{"too many", ipc.IPv4, up, many, 0},
	} {
		l := &link{linkName: linkName{"eth0", tt.family}, index: 3}
		state := l.facts(tt.info, tt.addrs)
		for i, n := range state.Networks {
			if n.IsValid() != (i < tt.want) || n.IsValid() && n != tt.addrs[i].Prefix {
				t.Errorf("%s: network %d is %v", tt.name, i, n)
			}
		}
	}
	var said bytes.Buffer
	d := &daemon{log: slog.New(slog.NewTextHandler(&said, nil)), child: &child{phase: ipc.PhaseRun}}
	l := &link{linkName: linkName{"eth0", ipc.IPv4}, index: 3}
	d.tell(l, l.facts(up, many[:1]), "")
	d.tell(l, l.facts(up, many[:2]), "")
	d.tell(l, l.facts(up, many[:2]), "")
	told := 0
	if err := d.outgoing.Flush(func(b []byte) error { told += len(b); return nil }); err != nil {
		t.Fatal(err)
	}
	if one := len(ipc.Append(nil, ipc.Header{}, ipc.LinkState{})); told != 2*one {
		t.Errorf("the child is told %d bytes, want two messages of %d", told, one)
	}
	if n := strings.Count(said.String(), "link up"); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
}
