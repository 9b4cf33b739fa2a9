package parent

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// tap counts the advertisements of one sender on an interface, as they come
// off the wire: before nftables, reverse path filtering and all else that can
// keep them from the raw sockets. It reads none of them, and as it costs all
// traffic of the interface something, it is there only while a probe is.
type tap int

// noTap is one that could not be opened.
const noTap tap = -1

func openTap(index int, sender netip.Addr) (tap, error) {
	// Bound to nothing until the filter is there.
	sock, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return noTap, fmt.Errorf("tap: %w", err)
	}
	filter := tapFilter(sender)
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = unix.SetsockoptSockFprog(sock, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	if err == nil {
		err = unix.Bind(sock, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})
	}
	if err != nil {
		unix.Close(sock)
		return noTap, fmt.Errorf("tap: %w", err)
	}
	return tap(sock), nil
}

// tapFilter passes one byte of each VRRP packet of a sender.
func tapFilter(sender netip.Addr) (f []unix.SockFilter) {
	// What is to be where in the packet, which begins with its IP header.
	type word struct {
		size  uint16
		at, k uint32
	}
	want := []word{{unix.BPF_H, skfAdProtocol, unix.ETH_P_IP}, {unix.BPF_B, 9, protocolVRRP}}
	source := uint32(12)
	if sender.Is6() {
		want = []word{{unix.BPF_H, skfAdProtocol, unix.ETH_P_IPV6}, {unix.BPF_B, 6, protocolVRRP}}
		source = 8
	}
	for b := sender.AsSlice(); len(b) > 0; b, source = b[4:], source+4 {
		want = append(want, word{unix.BPF_W, source, binary.BigEndian.Uint32(b)})
	}
	for i, w := range want {
		f = append(f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | w.size, K: w.at},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: w.k, Jf: uint8(2*(len(want)-i) - 1)})
	}
	return append(f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0})
}

// count ends the tap; it says how many packets passed.
func (t tap) count() int {
	if t == noTap {
		return 0
	}
	defer unix.Close(int(t))
	stats, err := unix.GetsockoptTpacketStats(int(t), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return int(stats.Packets)
}
