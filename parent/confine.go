package parent

import (
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities the parent works with: interfaces, addresses and
// sockets, and the identity of a child started anew. Everything else is given up.
var kept = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SETUID, unix.CAP_SETGID}

// securebits: user id 0 means nothing any more, and stays so (NOROOT,
// NO_SETUID_FIXUP, KEEP_CAPS off and NO_CAP_AMBIENT_RAISE, all locked).
const securebits = 0x1<<0 | 0x1<<1 | 0x1<<2 | 0x1<<3 | 0x1<<5 | 0x1<<6 | 0x1<<7

// confine takes from the parent what it does not need, on all its threads.
func confine() error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if !slices.Contains(kept, c) {
			// A capability this kernel does not know cannot be dropped: EINVAL.
			if err := allThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0); err != nil && err != unix.EINVAL {
				return fmt.Errorf("bounding set: %w", err)
			}
		}
	}
	steps := []struct {
		what    string
		a, b, c uintptr
	}{
		{"securebits", unix.PR_SET_SECUREBITS, securebits, 0},
		{"ambient set", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0},
		{"no_new_privs", unix.PR_SET_NO_NEW_PRIVS, 1, 0},
		{"dumpable", unix.PR_SET_DUMPABLE, 0, 0},
	}
	for _, s := range steps {
		if err := allThreads(unix.SYS_PRCTL, s.a, s.b, s.c); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range kept {
		data[c/32].Permitted |= 1 << (c % 32)
		data[c/32].Effective |= 1 << (c % 32)
	}
	if err := allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}

func allThreads(nr, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall6(nr, a, b, c, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
