package parent

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestRecord: what an interface is without is read from its lock's file as it
// was written, and whatever else stands there is passed over.
func TestRecord(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	want := &displaced{addrs: []addrMsg{
		{2, 24, 0x80, 0, 3, 0, 0, 0, 8, 0, 1, 0, 10, 9, 0, 1, 8, 0, 2, 0, 10, 9, 0, 1},
		{2, 16, 0x80, 0, 3, 0, 0, 0, 8, 0, 1, 0, 172, 31, 0, 1, 8, 0, 2, 0, 172, 31, 0, 1},
	}, prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("172.31.0.1/16")}}
	l := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, displaced: want}}
	d := &daemon{keeper: unread(),
		broker: broker{ledger: ledger{locks: map[string]*os.File{"eth0": f}}},
		links: []*link{
			{wire: wire{linkName: linkName{"eth1", ipc.IPv4}, worn: net.HardwareAddr{2, 0, 0, 0, 0, 2}, displaced: &displaced{addrs: want.addrs[:1]}}},
			l, {wire: wire{linkName: linkName{"eth0", ipc.IPv6}, worn: mac}},
		},
	}
	d.show()
	for range 2 {
		if err := d.record("eth0"); err != nil {
			t.Error(err)
		}
		w, err := recorded(f)
		gotMAC, got := w.mac, w.displaced
		if err != nil || gotMAC.String() != mac.String() || !gocmp.Equal(got.addrs, want.addrs) || !slices.Equal(got.prefixes, want.prefixes) {
			t.Errorf("%v, %+v", gotMAC, got)
		}
	}
	if _, err := fmt.Fprint(f, "address 02\naddress zz\naddress 0a18800003000000\naddress 0218800003000000ff\nmac x\n\nnothing\n"); err != nil {
		t.Error(err)
	}
	w, err := recorded(f)
	if got := w.displaced; err != nil || !gocmp.Equal(got.addrs, want.addrs) || !slices.Equal(got.prefixes, want.prefixes) {
		t.Errorf("with more in the file: %+v, %v", got, err)
	}
	// Cut off within what pads its last attribute, a label.
	if _, err := fmt.Fprint(f, "address 0218800003000000"+"080002000a090001"+"0900030065746830002d\n"); err != nil {
		t.Error(err)
	}
	w, err = recorded(f)
	if got := w.displaced; err != nil || len(got.addrs) != 3 || got.prefixes[2] != want.prefixes[0] {
		t.Errorf("with one that is cut off in the file: %+v", got)
	}
	l.displaced, d.links[2].worn = nil, nil
	if err := d.record("eth0"); err != nil {
		t.Error(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("nothing is lent, and the file has %d bytes, %v", info.Size(), err)
	}
	if err := d.record("eth2"); err != nil {
		t.Errorf("without a lock: %v", err)
	}
}

// TestDisplaces: which virtual address takes the place of the interface's own.
func TestDisplaces(t *testing.T) {
	t.Parallel()
	own := []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("172.31.0.1/16")}
	at := func(s string) []vaddr { return []vaddr{{Prefix: netip.MustParsePrefix(s)}} }
	for _, tt := range []struct {
		name      string
		addrs     []vaddr
		displaced *displaced
		neighbor  string // address of another virtual router
		want      bool
	}{
		{"in the subnet", at("10.9.0.254/24"), nil, "10.9.0.253", true},
		{"away already", at("10.9.0.254/24"), &displaced{}, "10.9.0.253", false},
		{"in another subnet", at("192.0.2.1/32"), nil, "10.9.0.253", false},
		{"in another subnet of the interface", at("172.31.0.254/16"), nil, "10.9.0.253", false},
		{"beside an owner", at("10.9.0.254/24"), nil, "172.31.0.1", false},
		{"none: the interface has it", nil, nil, "10.9.0.253", false},
	} {
		l := &link{wire: wire{displaced: tt.displaced, prefixes: own, told: ipc.LinkState{Up: true, Primary: own[0].Addr()}}}
		l.pages = []*page{{grant: grant{addrs: []conf.Address{{Addr: netip.MustParseAddr(tt.neighbor)}}}}}
		if got := l.displaces(tt.addrs); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
