package parent

import "golang.org/x/sys/unix"

// sampled is how many of the packets that nobody waits for are let through,
// one in so many: the drop counters still see them, and a flood of them costs
// no CPU.
const sampled = 16

// packetFilter is the filter of the raw socket: it passes what has TTL 255
// and a known VRID, and a sample of everything else. It saves work and
// decides nothing: the child checks what passes.
func packetFilter(vrids []uint8) []unix.SockFilter {
	var known [256]bool
	n := 0
	for _, v := range vrids {
		if !known[v] {
			known[v] = true
			n++
		}
	}
	f := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 8}, // TTL
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 255, Jt: 1},
		{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(2 + 2*n)}, // to the sample
		{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0}, // header length
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 1},  // VRID
	}
	for v, is := range known {
		if is {
			f = append(f,
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(v), Jf: 1},
				unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff})
		}
	}
	return append(f,
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: skfAdRandom},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: sampled - 1, Jf: 1},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff})
}

// skfAdRandom is SKF_AD_OFF + SKF_AD_RANDOM: a random number.
const skfAdRandom = 0xffffffff - 0x1000 + 1 + 56
