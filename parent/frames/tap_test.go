package frames

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestTapFilter: what a look has, and how much of it.
func TestTapFilter(t *testing.T) {
	t.Parallel()
	ip := func(protocol byte) []byte { return append([]byte{0x45, 9: protocol}, make([]byte, 200)...) }
	ip6 := func(next, kind byte) []byte { return append([]byte{0x60, 6: next, 40: kind}, make([]byte, 200)...) }
	arp := func(operation byte) []byte {
		return append([]byte{0, 1, 8, 0, 6, 4, 0, operation}, make([]byte, 38)...)
	}
	for _, tt := range []struct {
		name            string
		family          ipc.Family
		kind, tag, from uint32 // the type of the frame, its VLAN tag, and for whom it is
		p               []byte
		want            int
	}{
		{"VRRP", ipc.IPv4, unix.ETH_P_IP, 0, unix.PACKET_MULTICAST, ip(protocolVRRP), ipc.MaxTapped},
		{"VRRP to us alone", ipc.IPv4, unix.ETH_P_IP, 0, unix.PACKET_HOST, ip(protocolVRRP), ipc.MaxTapped},
		{"with a priority, in no VLAN", ipc.IPv4, unix.ETH_P_IP, 0xe000, unix.PACKET_MULTICAST, ip(protocolVRRP), ipc.MaxTapped},
		{"in a VLAN", ipc.IPv4, unix.ETH_P_IP, 5, unix.PACKET_MULTICAST, ip(protocolVRRP), 0},
		{"for another host", ipc.IPv4, unix.ETH_P_IP, 0, unix.PACKET_OTHERHOST, ip(protocolVRRP), 0},
		{"our own", ipc.IPv4, unix.ETH_P_IP, 0, unix.PACKET_OUTGOING, ip(protocolVRRP), 0},
		{"ICMP", ipc.IPv4, unix.ETH_P_IP, 0, unix.PACKET_HOST, ip(1), 0},
		{"ARP reply", ipc.IPv4, unix.ETH_P_ARP, 0, unix.PACKET_HOST, arp(2), 46},
		{"ARP request", ipc.IPv4, unix.ETH_P_ARP, 0, unix.PACKET_BROADCAST, arp(1), 0},
		{"IPv6 on a link of IPv4", ipc.IPv4, unix.ETH_P_IPV6, 0, unix.PACKET_MULTICAST, ip6(protocolVRRP, 0), 0},
		{"VRRP over IPv6", ipc.IPv6, unix.ETH_P_IPV6, 0, unix.PACKET_MULTICAST, ip6(protocolVRRP, 0), ipc.MaxTapped},
		{"neighbor advertisement", ipc.IPv6, unix.ETH_P_IPV6, 0, unix.PACKET_HOST, ip6(58, 136), ipc.MaxTapped},
		{"neighbor solicitation", ipc.IPv6, unix.ETH_P_IPV6, 0, unix.PACKET_MULTICAST, ip6(58, 135), 0},
		{"TCP over IPv6", ipc.IPv6, unix.ETH_P_IPV6, 0, unix.PACKET_HOST, ip6(6, 136), 0},
		{"IPv4 on a link of IPv6", ipc.IPv6, unix.ETH_P_IP, 0, unix.PACKET_MULTICAST, ip(protocolVRRP), 0},
		{"ARP on a link of IPv6", ipc.IPv6, unix.ETH_P_ARP, 0, unix.PACKET_HOST, arp(2), 0},
		{"cut off", ipc.IPv4, unix.ETH_P_IP, 0, unix.PACKET_MULTICAST, []byte{0x45}, 0},
	} {
		around := map[bpf.Extension]uint32{bpf.ExtType: tt.from, bpf.ExtVLANTag: tt.tag, bpf.ExtProto: tt.kind}
		var program []bpf.Instruction
		for _, i := range tapFilter(tt.family) {
			ins := bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K}.Disassemble()
			if ext, is := ins.(bpf.LoadExtension); is {
				ins = bpf.LoadConstant{Dst: bpf.RegA, Val: around[ext.Num]}
			}
			program = append(program, ins)
		}
		m, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := m.Run(tt.p); err != nil || min(n, len(tt.p)) != tt.want {
			t.Errorf("%s: %d bytes pass, %v; want %d", tt.name, n, err, tt.want)
		}
	}
}

// TestQuestion: what the wire has when an address is asked for.
func TestQuestion(t *testing.T) {
	t.Parallel()
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	b := AppendQuestion(nil, mac, netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.254"))
	want := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
		2, 0, 0, 0, 0, 1, 10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 10, 9, 0, 254}
	if !bytes.HasPrefix(b, want) || len(b) != minFrame {
		t.Errorf("ARP: %x", b)
	}
	b = AppendQuestion(nil, mac, netip.MustParseAddr("fe80::1"), netip.MustParseAddr("2001:db8::12:3456"))
	if !bytes.Equal(b[:12], []byte{0x33, 0x33, 0xff, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1}) || netip.AddrFrom16([16]byte(b[38:54])).String() != "ff02::1:ff12:3456" {
		t.Errorf("neighbor solicitation to %x", b)
	}
	pseudo := append(bytes.Clone(b[22:54]), 0, 0, 0, byte(len(b)-54), 0, 0, 0, protocolICMPv6)
	if got := binary.BigEndian.Uint16(b[56:]); b[54] != neighborSolicitation || b[78] != 1 || checksum(append(pseudo, b[54:]...)) != 0 {
		t.Errorf("neighbor solicitation %x, checksum %x", b[54:], got)
	}
}
