// Package walls confines the processes that hold a privilege: capabilities,
// limits, seccomp, and the user that others run as. Every program that confines
// itself so links it, and nothing else of ours is needed for it.
package walls

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SpawnerKept are the capabilities that a spawner works with which is root: to
// give a process its user and group. One that is not root has none.
var SpawnerKept = []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}

// securebits: user id 0 means nothing any more, and stays so (NOROOT,
// NO_SETUID_FIXUP, KEEP_CAPS off and NO_CAP_AMBIENT_RAISE, all locked).
const securebits = 0x1<<0 | 0x1<<1 | 0x1<<2 | 0x1<<3 | 0x1<<5 | 0x1<<6 | 0x1<<7

// limits are those of the parent and the spawner: no core, no message queue,
// no more descriptors than a thousand interfaces take, and a bounded heap. Files
// have none, for logs grow; nor have processes, which the kernel would count
// together with all others of the user: the filters let none be made.
var limits = []struct {
	resource int
	max      uint64
}{
	{unix.RLIMIT_CORE, 0},
	{unix.RLIMIT_MSGQUEUE, 0},
	{unix.RLIMIT_NOFILE, 16384},
	{unix.RLIMIT_DATA, 512 << 20},
}

// limit lowers what is above its limit.
func limit() error {
	for _, l := range limits {
		var have unix.Rlimit
		if err := unix.Getrlimit(l.resource, &have); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
		most := min(have.Max, l.max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: min(have.Cur, most), Max: most}); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
	}
	return nil
}

// Confine takes from the process all capabilities but some, and the ways to
// others, on all its threads. Who is not root, or whose
// service manager has taken CAP_SETPCAP, cannot narrow the bounding set nor
// lock the bits; no_new_privs stands before both.
func Confine(kept []uintptr) error {
	able, err := holds(unix.CAP_SETPCAP)
	if err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if err := limit(); err != nil {
		return err
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if able && !slices.Contains(kept, c) {
			// A capability this kernel does not know cannot be dropped: EINVAL.
			if err := allThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0); err != nil && err != unix.EINVAL {
				return fmt.Errorf("bounding set: %w", err)
			}
		}
	}
	steps := []struct {
		what    string
		a, b, c uintptr
		able    bool // needs CAP_SETPCAP
	}{
		{"securebits", unix.PR_SET_SECUREBITS, securebits, 0, true},
		{"ambient set", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, false},
		{"no_new_privs", unix.PR_SET_NO_NEW_PRIVS, 1, 0, false},
		{"dumpable", unix.PR_SET_DUMPABLE, 0, 0, false},
	}
	for _, s := range steps {
		if s.able && !able {
			continue
		}
		if err := allThreads(unix.SYS_PRCTL, s.a, s.b, s.c); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	if err := setCapabilities(kept); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}

// capabilityNames are those of the capabilities that we work with.
var capabilityNames = map[uintptr]string{
	unix.CAP_NET_ADMIN: "CAP_NET_ADMIN", unix.CAP_NET_RAW: "CAP_NET_RAW", unix.CAP_SETUID: "CAP_SETUID", unix.CAP_SETGID: "CAP_SETGID",
}

// MustHave names the capabilities that this process lacks, if any.
func MustHave(needed []uintptr, why string) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	var missing []string
	for _, c := range needed {
		if have[0].Permitted&(1<<c) == 0 {
			missing = append(missing, capabilityNames[c])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("capabilities: %s missing; %s", strings.Join(missing, " and "), why)
}

// holds says whether this process has a capability.
func holds(capability uintptr) (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	err := unix.Capget(&header, &have[0])
	return have[capability/32].Effective&(1<<(capability%32)) != 0, err
}

// allThreads makes a system call on every thread. Its arguments may be addresses: what they are
// of must neither move nor go before the call is made.
//
//go:uintptrescapes
func allThreads(nr, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall6(nr, a, b, c, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// capData are capability sets as capset(2) takes them.
func capData(kept []uintptr) (header unix.CapUserHeader, data [2]unix.CapUserData) {
	header.Version = unix.LINUX_CAPABILITY_VERSION_3
	for _, c := range kept {
		data[c/32].Permitted |= 1 << (c % 32)
		data[c/32].Effective |= 1 << (c % 32)
	}
	return header, data
}

// setCapabilities needs no system call where they are these already, as in a
// unit whose filter does not have it.
func setCapabilities(kept []uintptr) error {
	header, data := capData(kept)
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err == nil && have == data {
		return nil
	}
	return allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
}
