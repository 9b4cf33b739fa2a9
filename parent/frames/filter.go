package frames

import (
	"errors"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// sampled is how many of the packets that nobody waits for are let through,
// one in so many: the drop counters still see them, and a flood of them costs
// no CPU.
const sampled = 16

// packetFilter is the filter of a raw socket: it passes what has TTL or hop
// limit 255 and a known VRID, and a sample of everything else. It saves work
// and decides nothing: the child checks what passes.
func packetFilter(family ipc.Family, vrids []uint8) []unix.SockFilter {
	known := sorted(vrids)
	// IPv4: the packet begins with its header, of variable length. IPv6: the
	// header has been taken off, but can be seen from where it was.
	ttl, header := uint32(8), unix.SockFilter{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0}
	if family == ipc.IPv6 {
		ttl, header = skfNetOff+7, unix.SockFilter{Code: unix.BPF_LDX | unix.BPF_W | unix.BPF_IMM, K: 0}
	}
	f := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: ttl},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 255, Jt: 1},
		{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(2 + 2*len(known))}, // to the sample
		header,
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 1}, // VRID
	}
	for _, v := range known {
		f = append(f,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(v), Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff})
	}
	return append(f,
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: skfAdRandom},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: sampled - 1, Jf: 1},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff})
}

// lockFilter gives a socket its filter, for good.
func lockFilter(sock int, f []unix.SockFilter) error {
	return errors.Join(unix.SetsockoptSockFprog(sock, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}),
		unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1))
}

// Offsets with a meaning of their own.
const (
	skfNetOff     = 0xfff00000                   // SKF_NET_OFF: the IP header
	skfAdProtocol = 0xffffffff - 0x1000 + 1      // SKF_AD_OFF + SKF_AD_PROTOCOL
	skfAdPktType  = 0xffffffff - 0x1000 + 1 + 4  // SKF_AD_OFF + SKF_AD_PKTTYPE
	skfAdVLANTag  = 0xffffffff - 0x1000 + 1 + 44 // SKF_AD_OFF + SKF_AD_VLAN_TAG
	skfAdRandom   = 0xffffffff - 0x1000 + 1 + 56 // SKF_AD_OFF + SKF_AD_RANDOM
)
