package lab

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// advertisement is one as PROTOCOL has it: VRID 10, priority 200, 10.9.0.254.
var advertisement = []byte{
	0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a, 0x08, 0x00,
	0x45, 0xc0, 0, 40, 0, 0, 0, 0, 255, 112, 0, 0, 10, 9, 0, 1, 224, 0, 0, 18,
	0x21, 10, 200, 1, 0, 1, 0, 0, 10, 9, 0, 254, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0,
}

func TestParseAdvertisement(t *testing.T) {
	t.Parallel()
	f, ok := parseFrame(advertisement)
	if !ok || f.VRRP == nil {
		t.Fatal("not recognised")
	}
	v := f.VRRP
	if f.Len != 60 || f.Src != VirtualMAC(10) || f.Dst != GroupMAC {
		t.Errorf("frame: %+v", f)
	}
	if v.Version != 2 || v.VRID != 10 || v.Priority != 200 || v.Inter != 1 || v.TTL != 255 || v.DSField != 0xc0 {
		t.Errorf("advertisement: %+v", *v)
	}
	if v.Src.String() != "10.9.0.1" || !slices.Equal(v.Addrs, []netip.Addr{VIP}) {
		t.Errorf("addresses: %+v", *v)
	}
}

func TestParseShortFrames(t *testing.T) {
	t.Parallel()
	for n := range len(advertisement) - 14 {
		if f, ok := parseFrame(advertisement[:n]); ok && n < 54 {
			t.Errorf("%d bytes are read as %v", n, f)
		}
	}
}

func TestParseARP(t *testing.T) {
	t.Parallel()
	question := arpQuestion("02:00:00:00:00:01", netip.MustParseAddr("10.9.0.3"), VIP)
	f, ok := parseFrame(question)
	if !ok || f.ARP == nil || f.ARP.Op != arpRequest || f.ARP.SenderMAC != "02:00:00:00:00:01" || f.ARP.TargetIP != VIP || f.ARP.TargetMAC != zeroMAC {
		t.Errorf("%+v", f.ARP)
	}
	if GratuitousARP(VIP)(f) {
		t.Error("a question is no announcement")
	}
}

// TestDecode reads lines as tshark prints them.
func TestDecode(t *testing.T) {
	t.Parallel()
	line := "1764000000.000000123|60|00:00:5e:00:01:0a|01:00:5e:00:00:12|10.9.0.1|224.0.0.18|255|0xc0|1|2|10|200|2|1|10.9.0.254,10.9.0.253|1|||||" + strings.Repeat("|", 14)
	f, err := decode(strings.Split(line, "|"))
	if err != nil {
		t.Fatal(err)
	}
	if !f.Time.Equal(time.Unix(1764000000, 123)) || f.VRRP.DSField != 0xc0 || len(f.VRRP.Addrs) != 2 || !f.VRRP.ChecksumGood || !f.VRRP.IPChecksumGood {
		t.Errorf("%+v %+v", f, *f.VRRP)
	}
	bad := strings.Replace(line, "|10.9.0.254,10.9.0.253|1|", "|10.9.0.254|0|", 1)
	if f, err := decode(strings.Split(bad, "|")); err != nil || f.VRRP.ChecksumGood {
		t.Errorf("a wrong checksum passes: %v", err)
	}
	if _, err := decode([]string{"x"}); err == nil {
		t.Error("nonsense is read")
	}
}

// TestDecode6 reads what tshark prints of IPv6.
func TestDecode6(t *testing.T) {
	t.Parallel()
	frame := "1764000000.000000123|90|00:00:5e:00:02:0a|33:33:00:00:00:12|||||"
	advert := frame + "|3|10|200|1|||1||||||10|fe80::1|ff02::12|255|0x000000c0|fe80::9:254||||||||"
	f, err := decode(strings.Split(advert, "|"))
	if err != nil || f.VRRP == nil {
		t.Fatal(f, err)
	}
	if v := f.VRRP; v.TTL != 255 || v.DSField != 0xc0 || v.Inter != 10 || v.Src.String() != "fe80::1" || v.Addrs[0] != IPv6VIPs[0] || !v.ChecksumGood {
		t.Errorf("%+v", *v)
	}
	announcement := frame + "||||||||||||||fe80::1|ff02::1|255|0x00000000||136|1||fe80::9:254|1|0|1|00:00:5e:00:02:0a"
	f, err = decode(strings.Split(announcement, "|"))
	want := ND{Type: NeighborAdvertisement, Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("ff02::1"), HopLimit: 255,
		Target: IPv6VIPs[0], Router: true, Override: true, LinkAddr: VirtualMAC6(10)}
	if err != nil || f.ND == nil || *f.ND != want {
		t.Errorf("%v: %+v, want %+v", err, f.ND, want)
	}
	if _, err := decode(strings.Split(strings.Replace(announcement, "|136|1|", "|136|0|", 1), "|")); err == nil {
		t.Error("a wrong checksum passes")
	}
}

func TestTimers(t *testing.T) {
	t.Parallel()
	if got := MasterDown(100); got != 3609375*time.Microsecond {
		t.Error(got)
	}
	if got := SkewTime(200); got != 218750*time.Microsecond {
		t.Error(got)
	}
}

func TestRecordWait(t *testing.T) {
	t.Parallel()
	var r Record[int]
	go func() {
		for i := range 100 {
			r.Add(i)
		}
	}()
	if got, ok := r.Wait(10, time.Minute, func(i int) bool { return i%50 == 0 }); !ok || got != 50 {
		t.Error(got, ok)
	}
	if _, ok := r.Wait(0, time.Millisecond, func(i int) bool { return i > 100 }); ok {
		t.Error("found what is not there")
	}
}

func TestSnapshotDiff(t *testing.T) {
	t.Parallel()
	before, now := Snapshot{"a", "b"}, Snapshot{"b", "c"}
	if got := before.Diff(now); got != "\t- a\n\t+ c\n" {
		t.Errorf("%q", got)
	}
	if got := before.Diff(before); got != "" {
		t.Errorf("%q", got)
	}
}

func TestCapabilityNames(t *testing.T) {
	t.Parallel()
	for hex, want := range map[string]string{
		"0000000000000000": "none", "00000000000030c0": "setgid,setuid,net_admin,net_raw", "000001ffffffffff": "000001ffffffffff",
	} {
		if got := CapabilityNames(hex); got != want {
			t.Errorf("%s: %s", hex, got)
		}
	}
}
