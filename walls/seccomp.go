package walls

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The filters are compiled from package rules with libseccomp, for each
// architecture: neither building nor running needs that.
//go:generate sh -c "cd ../netproc/sandbox && CGO_ENABLED=1 go run -tags seccompgen ./gen"

// LoadFilter puts a seccomp filter on every thread; no_new_privs must be set.
func LoadFilter(filter []unix.SockFilter) error {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	failed, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if failed != 0 {
		return fmt.Errorf("seccomp: thread %d could not be synchronised", failed)
	}
	return nil
}
