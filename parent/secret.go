package parent

import (
	"runtime/debug"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// shed gives back to the kernel what the decoders of the configuration have
// left, once the child has it: there may be secrets in it. Nobody waits for
// that.
func (d *daemon) shed() {
	if d.vault.Holds() {
		ipc.Scrub()
		go debug.FreeOSMemory()
	}
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
