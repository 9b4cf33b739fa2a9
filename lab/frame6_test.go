package lab

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// TestParseSolicitation reads what Solicit sends, and cuts it short.
func TestParseSolicitation(t *testing.T) {
	t.Parallel()
	from := netip.MustParseAddr("fe80::1")
	b := solicitation("02:00:00:00:00:01", from, IPv6VIPs[1])
	f, ok := parseFrame(b)
	want := ND{Type: NeighborSolicitation, Src: from, Dst: netip.MustParseAddr("ff02::1:ff00:254"), HopLimit: 255,
		Target: IPv6VIPs[1], LinkAddr: "02:00:00:00:00:01"}
	if !ok || f.ND == nil || *f.ND != want {
		t.Fatalf("%+v, want %+v", f.ND, want)
	}
	if f.Dst != "33:33:ff:00:02:54" || f.Src != "02:00:00:00:00:01" {
		t.Errorf("from %s to %s", f.Src, f.Dst)
	}
	for n := range b {
		if f, ok := parseFrame(b[:n]); ok {
			t.Errorf("%d bytes are read as %v", n, f)
		}
	}
}

// advertisement3 is a VRRPv3 message without its checksum: VRID 10, priority
// 100, 2.58 s, one address.
func advertisement3(vip netip.Addr) []byte {
	return append([]byte{0x31, 10, 100, 1, 0x01, 0x02, 0, 0}, vip.AsSlice()...)
}

func TestChecksumForm(t *testing.T) {
	t.Parallel()
	src, dst := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("224.0.0.18")
	m := advertisement3(VIP)
	pseudo := onesSum(onesSum(onesSum(0, m), src.AsSlice()), dst.AsSlice()) + protocolVRRP + uint32(len(m))
	for want, sum := range map[string]uint32{Plain: onesSum(0, m), Pseudo: pseudo, "": onesSum(0, m) + 1} {
		binary.BigEndian.PutUint16(m[6:], ^uint16(fold(sum)))
		v := &VRRP{Src: src, Dst: dst}
		v.parse(m, 4)
		if got := v.ChecksumForm(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if v.Version != 3 || v.Inter != 258 || v.Priority != 100 || len(v.Addrs) != 1 || v.Addrs[0] != VIP {
			t.Errorf("%+v", *v)
		}
	}
}

func TestParseAdvertisement6(t *testing.T) {
	t.Parallel()
	m := advertisement3(IPv6VIPs[0])
	b := append([]byte{0x33, 0x33, 0, 0, 0, 0x12, 0, 0, 0x5e, 0, 2, 10, 0x86, 0xdd, 0x6c, 0, 0, 0, 0, byte(len(m)), protocolVRRP, 255},
		append(netip.MustParseAddr("fe80::1").AsSlice(), netip.MustParseAddr("ff02::12").AsSlice()...)...)
	f, ok := parseFrame(append(b, m...))
	if !ok || f.VRRP == nil {
		t.Fatal("not recognised")
	}
	v := f.VRRP
	if v.TTL != 255 || v.DSField != 0xc0 || v.Src.String() != "fe80::1" || v.Dst.String() != "ff02::12" || v.Addrs[0] != IPv6VIPs[0] ||
		f.Src != VirtualMAC6(10) || f.Dst != GroupMAC6 {
		t.Errorf("%+v %+v", f, *v)
	}
}

func TestRouterTimers(t *testing.T) {
	t.Parallel()
	v3 := Router{Version: 3, Interval: AdverInterval / 10, Priority: 100}
	if got := v3.ActiveDown(); got != 360937500 {
		t.Error(got)
	}
	if got := (Router{Priority: 100}).ActiveDown(); got != MasterDown(100) {
		t.Error(got)
	}
}
