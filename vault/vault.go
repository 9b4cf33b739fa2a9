// Package vault keeps secrets out of reach: of core dumps, of swap space, and of other
// processes of the same user.
package vault

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Seal keeps what the process reads from now on out of core dumps, and other
// processes of its user out of its memory. It must be called before anything
// secret is read.
func Seal() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limit of core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("dumpable: %w", err)
	}
	return nil
}

// Vault is memory for secrets: never swapped, in no core dump, in no child
// that is forked. A network process that is started anew gets them from here; whatever
// else has held them is wiped.
type Vault struct{ memory []byte }

// Lock moves secrets into a vault: each is wiped where it was, whatever comes of it.
func Lock(secrets []*[]byte) (*Vault, error) {
	size := 0
	for _, s := range secrets {
		size += len(*s)
		defer clear(*s)
	}
	v := &Vault{}
	if size == 0 {
		return v, nil
	}
	var err error
	if v.memory, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return nil, fmt.Errorf("memory for secrets: %w", err)
	}
	// Without the privilege to lock memory a limit may be reached; the rest
	// of the protection does not hang on it.
	_ = unix.Mlock(v.memory)
	for _, advice := range []int{unix.MADV_DONTDUMP, unix.MADV_WIPEONFORK} {
		if err := unix.Madvise(v.memory, advice); err != nil {
			v.Free()
			return nil, fmt.Errorf("memory for secrets: %w", err)
		}
	}
	rest := v.memory
	for _, s := range secrets {
		n := copy(rest, *s)
		*s, rest = rest[:n:n], rest[n:]
	}
	return v, nil
}

// Holds says whether there is any secret in it; nil is empty.
func (v *Vault) Holds() bool { return v != nil && v.memory != nil }

// Free wipes a vault; nothing may point into it any more.
func (v *Vault) Free() {
	if v.Holds() {
		clear(v.memory)
		_ = unix.Munmap(v.memory)
		v.memory = nil
	}
}
