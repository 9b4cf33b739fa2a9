package nft

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRenewal: each family of tables is told the addresses that it looks at,
// and only where the kernel wants elements made anew any are deleted. A renewal
// allocates little, for one that did was most of the work of a daemon with many
// virtual routers.
func TestRenewal(t *testing.T) {
	var what []Renewed
	for i := range byte(100) {
		what = append(what, Renewed{Iface: "eth0", Addr: netip.AddrFrom4([4]byte{10, 9, 0, i}), Time: time.Second})
	}
	six := Renewed{Iface: "eth0", Addr: netip.MustParseAddr("2001:db8::a"), Time: time.Second}
	device := Renewed{Iface: "eth0", Device: "eth0.vr10", Time: time.Second}
	const add, del = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWSETELEM, unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELSETELEM
	for _, c := range []struct {
		anew     bool
		what     []Renewed
		kinds    []int
		families []byte
	}{
		{false, what, []int{add, add}, []byte{unix.NFPROTO_INET, unix.NFPROTO_ARP}},
		{true, what, []int{add, del, add, add, del, add}, []byte{unix.NFPROTO_INET, unix.NFPROTO_INET, unix.NFPROTO_INET, unix.NFPROTO_ARP, unix.NFPROTO_ARP, unix.NFPROTO_ARP}},
		{false, []Renewed{six}, []int{add}, []byte{unix.NFPROTO_INET}},
		{false, []Renewed{device}, []int{add}, []byte{unix.NFPROTO_INET}},
	} {
		batch, err := renewal(c.what, c.anew)
		if err != nil || len(batch) != 1+len(c.kinds) {
			t.Fatalf("anew %v: %d messages, %v", c.anew, len(batch), err)
		}
		var kinds []int
		var families []byte
		for _, m := range batch[1:] {
			kinds, families = append(kinds, int(m.Header.Type)), append(families, m.Data[0])
			if !bytes.Equal(m.Data[4:], batch[1].Data[4:]) || !bytes.Contains(m.Data, c.what[len(c.what)-1].key()) {
				t.Errorf("anew %v: messages differ, or lack an address", c.anew)
			}
		}
		if !slices.Equal(kinds, c.kinds) || !slices.Equal(families, c.families) {
			t.Errorf("anew %v: messages %x in families %d, want %x in %d", c.anew, kinds, families, c.kinds, c.families)
		}
	}
	few := testing.AllocsPerRun(10, func() { _, _ = renewal(what[:1], true) })
	if all := testing.AllocsPerRun(10, func() { _, _ = renewal(what, true) }); all > few+float64(len(what)/2) {
		t.Errorf("%.0f allocations for %d addresses, %.0f for one", all, len(what), few)
	}
}
