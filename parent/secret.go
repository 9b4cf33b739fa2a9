package parent

import (
	"fmt"
	"runtime/debug"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
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

// vault is memory for secrets: never swapped, in no core dump, in no child
// that is forked. A child that is started anew gets them from here; whatever
// else has held them is wiped.
type vault struct{ memory []byte }

// lockAway moves the secrets of a configuration into a vault.
func lockAway(c *conf.Config) (*vault, error) {
	var all []*[]byte
	size := 0
	for i := range c.Routers {
		r := &c.Routers[i]
		all = append(all, &r.Secret)
		if r.HMAC != nil {
			for k := range r.HMAC.Keys {
				all = append(all, &r.HMAC.Keys[k].Value)
			}
		}
	}
	for _, s := range all {
		size += len(*s)
	}
	v := &vault{}
	if size == 0 {
		return v, nil
	}
	var err error
	if v.memory, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		c.Wipe()
		return nil, fmt.Errorf("memory for secrets: %w", err)
	}
	// Without the privilege to lock memory a limit may be reached; the rest
	// of the protection does not hang on it.
	_ = unix.Mlock(v.memory)
	for _, advice := range []int{unix.MADV_DONTDUMP, unix.MADV_WIPEONFORK} {
		if err := unix.Madvise(v.memory, advice); err != nil {
			v.free()
			c.Wipe()
			return nil, fmt.Errorf("memory for secrets: %w", err)
		}
	}
	rest := v.memory
	for _, s := range all {
		n := copy(rest, *s)
		clear(*s)
		*s, rest = rest[:n:n], rest[n:]
	}
	return v, nil
}

// free wipes a vault; nothing may point into it any more.
func (v *vault) free() {
	if v != nil && v.memory != nil {
		clear(v.memory)
		_ = unix.Munmap(v.memory)
		v.memory = nil
	}
}

// shed gives back to the kernel what the decoders of the configuration have
// left, once the child has it: there may be secrets in it. Nobody waits for
// that.
func (d *daemon) shed() {
	if d.vault != nil && d.vault.memory != nil {
		ipc.Scrub()
		go debug.FreeOSMemory()
	}
}

// authOf translates how a virtual router authenticates, and lists its secrets.
func authOf(r *conf.Router) (kind ipc.Auth, how ipc.HMAC, secrets []ipc.Secret) {
	kind = map[conf.AuthType]ipc.Auth{conf.AuthSimple: ipc.AuthSimple, conf.AuthP0: ipc.AuthP0, conf.AuthP1: ipc.AuthP1, conf.AuthHMAC: ipc.AuthHMAC}[r.Auth]
	if kind == ipc.AuthHMAC {
		how = ipc.HMAC{ActiveKey: r.HMAC.ActiveKey, Monotonic: r.HMAC.AntiReplay == "monotonic", Window: uint16(r.HMAC.Window.Seconds()),
			Mode: map[string]uint8{"receive-only": 0, "permissive": 1, "enforce": 2}[r.HMAC.Mode]}
		for _, k := range r.HMAC.Keys {
			secrets = append(secrets, ipc.Secret{ID: k.ID, Value: k.Value})
		}
		return kind, how, secrets
	}
	if kind != ipc.AuthNone && len(r.Secret) > 0 {
		secrets = []ipc.Secret{{Value: r.Secret}}
	}
	return kind, how, secrets
}

// confide tells the child the secrets of a slot, and what has been sent and
// heard: a fresh child, or router, goes on from there.
func (d *daemon) confide(s *slot) {
	for _, secret := range s.secrets {
		d.send(ipc.Header{Slot: s.slot}, secret)
		d.confided = true
	}
	for who, sequence := range s.marks {
		d.send(ipc.Header{Slot: s.slot}, ipc.Mark{Source: who.source, Key: who.key, Sequence: sequence})
	}
}
