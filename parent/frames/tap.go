package frames

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// OpenTap opens a packet socket that has the VRRP packets of an interface, and
// the answers to questions for addresses, as they come off the wire: before
// nftables, reverse path filtering and all else that can keep them from the raw
// sockets. As it costs all traffic of the interface something, it is there only
// while a look is.
func OpenTap(index int, family ipc.Family) (int, error) {
	// Bound to nothing until the filter is there.
	sock, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("tap: %w", err)
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(lockFilter(sock, tapFilter(family)),
		unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20),
		unix.Bind(sock, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	if err != nil {
		unix.Close(sock)
		return -1, fmt.Errorf("tap: %w", err)
	}
	return sock, nil
}

// tapFilter passes the beginning of VRRP packets, and of answers to ARP or
// neighbor discovery, that are for us, for a group or for all, and in no VLAN.
func tapFilter(family ipc.Family) []unix.SockFilter {
	const keep, drop = 12, 11
	f := make([]unix.SockFilter, 0, keep+1)
	load := func(size uint16, at uint32) {
		f = append(f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: at})
	}
	jump := func(test uint16, k uint32, yes, no int) {
		next := len(f) + 1
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jt: uint8(yes - next), Jf: uint8(no - next)})
	}
	load(unix.BPF_W, skfAdPktType)
	jump(unix.BPF_JGT, unix.PACKET_MULTICAST, drop, 2)
	load(unix.BPF_W, skfAdVLANTag)
	jump(unix.BPF_JSET, 0xfff, drop, 4)
	load(unix.BPF_W, skfAdProtocol)
	if family == ipc.IPv6 {
		jump(unix.BPF_JEQ, unix.ETH_P_IPV6, 6, drop)
		load(unix.BPF_B, 6)
		jump(unix.BPF_JEQ, protocolVRRP, keep, 8)
		jump(unix.BPF_JEQ, protocolICMPv6, 9, drop)
		load(unix.BPF_B, headerLen6)
		jump(unix.BPF_JEQ, neighborAdvertisement, keep, drop)
	} else {
		jump(unix.BPF_JEQ, unix.ETH_P_IP, 6, 8)
		load(unix.BPF_B, 9)
		jump(unix.BPF_JEQ, protocolVRRP, keep, drop)
		jump(unix.BPF_JEQ, unix.ETH_P_ARP, 9, drop)
		load(unix.BPF_H, 6)
		jump(unix.BPF_JEQ, arpReply, keep, drop)
	}
	return append(f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: ipc.MaxTapped})
}
