package frames

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/records"
)

// together puts the fragments of one packet together, and checks what is said
// of each.
func together(t *testing.T, parts [][]byte, whole []byte, mtu int) (payload []byte) {
	t.Helper()
	six := whole[14]>>4 == 6
	for i, p := range parts {
		ip, more, at, ident := p[14:], false, 0, uint32(0)
		if len(p) > 14+max(mtu, minFrame-14) {
			t.Errorf("fragment %d: frame of %d bytes, the MTU is %d", i, len(p), mtu)
		}
		if six {
			field := binary.BigEndian.Uint16(ip[42:])
			at, more, ident = int(field&^7), field&1 != 0, binary.BigEndian.Uint32(ip[44:])
			if ip[6] != 44 || ip[40] != 112 || ip[41] != 0 || ip[7] != 255 {
				t.Errorf("fragment %d: headers %x", i, ip[:48])
			}
			if !bytes.Equal(p[:14+4], whole[:14+4]) || !bytes.Equal(ip[8:40], whole[14+8:14+40]) {
				t.Errorf("fragment %d: headers %x, the whole has %x", i, p[:54], whole[:54])
			}
			ip = ip[48 : 40+int(binary.BigEndian.Uint16(ip[4:]))]
		} else {
			field := binary.BigEndian.Uint16(ip[6:])
			at, more, ident = int(field&0x1fff)*8, field&0x2000 != 0, uint32(binary.BigEndian.Uint16(ip[4:]))
			if checksum(ip[:20]) != 0 || ip[8] != 255 || ip[9] != 112 || field&0xc000 != 0 {
				t.Errorf("fragment %d: header %x", i, ip[:20])
			}
			if !bytes.Equal(p[:14+2], whole[:14+2]) || !bytes.Equal(ip[12:20], whole[14+12:14+20]) {
				t.Errorf("fragment %d: headers %x, the whole has %x", i, p[:34], whole[:34])
			}
			ip = ip[20:binary.BigEndian.Uint16(ip[2:])]
		}
		if at != len(payload) || more != (i < len(parts)-1) || ident != 0x1234 {
			t.Errorf("fragment %d: at %d, more %v, identification %#x", i, at, more, ident)
		}
		payload = append(payload, ip...)
	}
	return payload
}

// TestFragment cuts advertisements of every length there is for every MTU
// they do not fit.
func TestFragment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src  string
		size int // of an address
		mtus []int
	}{{"192.0.2.1", 4, []int{68, 575, 576, 1000}}, {"fe80::1", 16, []int{1280, 1281, 1499, 1500, 4000}}} {
		src, family := netip.MustParseAddr(tt.src), ipc.IPv4
		if src.Is6() {
			family = ipc.IPv6
		}
		cut := 0
		for n := 1; n <= ipc.MaxAddresses; n++ {
			for _, trailer := range []int{0, 28} {
				message := make([]byte, 8+n*tt.size+trailer)
				for i := range message {
					message[i] = byte(i * 7)
				}
				whole := AppendAdvertisement(nil, records.VirtualMAC(family, 7), src, message)
				for _, mtu := range tt.mtus {
					if len(whole)-EthernetHeader <= mtu {
						continue
					}
					var parts [][]byte
					Fragment(nil, whole, mtu, 0x1234, func(b []byte) { parts = append(parts, bytes.Clone(b)) })
					if got := together(t, parts, whole, mtu); len(parts) < 2 || !bytes.Equal(got, message) {
						t.Fatalf("%d addresses, MTU %d: %d fragments, %d bytes of %d", n, mtu, len(parts), len(got), len(message))
					}
					cut++
				}
			}
		}
		if cut == 0 {
			t.Errorf("%s: nothing was cut", src)
		}
	}
}
