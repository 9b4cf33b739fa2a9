package frames

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/records"
	"golang.org/x/net/bpf"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAppendAdvertisement(t *testing.T) {
	t.Parallel()
	message := unhex(t, "2107 6401 0001 0000 0a4d00fe 0000000000000000")
	got := AppendAdvertisement(nil, records.VirtualMAC(ipc.IPv4, 7), netip.MustParseAddr("10.77.0.1"), message)
	// As in a capture of rVRRPd, padded to the shortest frame.
	want := unhex(t, "01005e000012 00005e000107 0800"+
		"45c0 0028 0000 0000 ff70 d045 0a4d0001 e0000012"+
		"2107 6401 0001 0000 0a4d00fe 0000000000000000"+
		"000000000000")
	if !bytes.Equal(got, want) {
		t.Errorf("frame is\n%x, want\n%x", got, want)
	}
	if checksum(got[14:34]) != 0 {
		t.Errorf("header checksum does not add up")
	}
	long := AppendAdvertisement(nil, records.VirtualMAC(ipc.IPv4, 7), netip.MustParseAddr("10.77.0.1"), make([]byte, 100))
	if len(long) != 134 {
		t.Errorf("a long frame has %d bytes, want 134", len(long))
	}
}

func TestAppendGratuitousARP(t *testing.T) {
	t.Parallel()
	got := AppendGratuitousARP(nil, records.VirtualMAC(ipc.IPv4, 255), netip.MustParseAddr("192.0.2.1"))
	want := unhex(t, "ffffffffffff 00005e0001ff 0806 0001 0800 06 04 0001"+
		"00005e0001ff c0000201 000000000000 c0000201"+strings.Repeat("00", 18))
	if !bytes.Equal(got, want) {
		t.Errorf("frame is\n%x, want\n%x", got, want)
	}
}

func TestAppendIPv6(t *testing.T) {
	t.Parallel()
	src, ip := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("2001:db8::1")
	got := AppendAdvertisement(nil, records.VirtualMAC(ipc.IPv6, 7), src, unhex(t, "31076401006400000102030405060708090a0b0c0d0e0f10"))
	want := unhex(t, "333300000012 00005e000207 86dd"+
		"6c000000 0018 70 ff fe800000000000000000000000000001 ff020000000000000000000000000012"+
		"31076401006400000102030405060708090a0b0c0d0e0f10")
	if !bytes.Equal(got, want) {
		t.Errorf("advertisement is\n%x, want\n%x", got, want)
	}
	got = AppendNeighborAdvertisement(nil, records.VirtualMAC(ipc.IPv6, 7), src, ip)
	want = unhex(t, "333300000001 00005e000207 86dd"+
		"60000000 0020 3a ff fe800000000000000000000000000001 ff020000000000000000000000000001"+
		"88 00 0000 a0000000 20010db8000000000000000000000001 02 01 00005e000207")
	sum := checksum(append(unhex(t, "fe800000000000000000000000000001 ff020000000000000000000000000001 00000020 0000003a"), got[54:]...))
	copy(want[56:], got[56:58])
	if !bytes.Equal(got, want) || sum != 0 {
		t.Errorf("announcement is\n%x, want\n%x; its checksum leaves %#x", got, want, sum)
	}
}

// vm runs the packet filter; its sample is replaced by the given word, which
// the kernel would choose at random.
func vm(t *testing.T, vrids []uint8, random byte) func([]byte) bool {
	t.Helper()
	var program []bpf.Instruction
	for _, i := range packetFilter(ipc.IPv4, vrids) {
		ins := bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K}.Disassemble()
		if ext, is := ins.(bpf.LoadExtension); is && ext.Num == bpf.ExtRand {
			ins = bpf.LoadConstant{Dst: bpf.RegA, Val: uint32(random)}
		}
		program = append(program, ins)
	}
	m, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return func(p []byte) bool {
		n, err := m.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
}

func TestPacketFilter(t *testing.T) {
	t.Parallel()
	packet := func(ttl, vrid byte, options int) []byte {
		p := append([]byte{byte(0x45 + options), 0xc0, 0, 40, 0, 0, 0, 0, ttl, 112}, make([]byte, 10+4*options)...)
		return append(p, 0x21, vrid, 100, 1, 0, 1, 0, 0)
	}
	for _, tt := range []struct {
		name   string
		p      []byte
		passes bool
	}{
		{"OK first", packet(255, 1, 0), true},
		{"OK last", packet(255, 255, 0), true},
		{"OK behind options", packet(255, 10, 10), true},
		{"foreign VRID", packet(255, 2, 0), false},
		{"wrong TTL", packet(254, 1, 0), false},
		{"no message", packet(255, 1, 0)[:21], false},
	} {
		if got := vm(t, []uint8{10, 1, 255, 10}, 1)(tt.p); got != tt.passes {
			t.Errorf("%s: passes %v", tt.name, got)
		}
		sampled := vm(t, []uint8{10, 1, 255}, 16)(tt.p)
		if tt.name != "no message" && !sampled {
			t.Errorf("%s: is not in the sample", tt.name)
		}
	}
	if n := len(packetFilter(ipc.IPv4, allVRIDs())); n > 4096 {
		t.Errorf("the longest filter has %d instructions, the kernel takes 4096", n)
	}
	if !vm(t, allVRIDs(), 1)(packet(255, 200, 0)) {
		t.Error("one of all VRIDs does not pass")
	}
}

func allVRIDs() (all []uint8) {
	for v := 1; v <= 255; v++ {
		all = append(all, uint8(v))
	}
	return all
}

// TestFramesOfRVRRPd: around the same message we put the same headers as
// rVRRPd: its TOS, its identification of zero without DF, its addresses. What
// differs is behind the packet: rVRRPd does not pad, and its peers take only
// what is padded.
func TestFramesOfRVRRPd(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"simple", "p0", "p1"} {
		b, err := os.ReadFile("../../netproc/wire/testdata/rvrrpd-" + kind + ".pcap")
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		for b = b[24:]; len(b) >= 16; {
			size := int(binary.LittleEndian.Uint32(b[8:]))
			captured := b[16 : 16+size]
			if b = b[16+size:]; captured[12] != 8 || captured[13] != 0 {
				continue // its gratuitous ARP, which is not ours
			}
			frames++
			got := AppendAdvertisement(nil, records.VirtualMAC(ipc.IPv4, 7), netip.MustParseAddr("10.77.0.1"), captured[34:])
			if want := append(bytes.Clone(captured), make([]byte, minFrame-len(captured))...); !bytes.Equal(got, want) {
				t.Errorf("%s: got  %x\nwant %x", kind, got, want)
			}
		}
		if frames != 8 {
			t.Errorf("%s: %d frames", kind, frames)
		}
	}
}
