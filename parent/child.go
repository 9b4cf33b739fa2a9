package parent

import (
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// startTime is how long a child may take from its start to Ready.
	startTime = int64(5 * time.Second)
	// stopTime is how long it may take to hand over its slots and end.
	stopTime = int64(time.Second)
)

// child is the running network process; nil stands for none.
type child struct {
	*children.Child
	phase    ipc.Phase
	told     bool  // a configuration, and has not said Ready
	deadline int64 // by which the phase must have ended; never in PhaseRun
}

// excuse leaves out of a child's time what a turn of ours takes beyond a tenth of
// stopTime: the kernel may keep us waiting for an address for seconds, and the child waits for us. One
// that keeps us busy itself does so in short turns.
func (c *child) excuse(took int64) {
	if c != nil && c.deadline != never {
		c.deadline += max(0, took-stopTime/10)
	}
}

// configured says whether the child takes links and frames.
func (c *child) configured() bool { return c != nil && c.phase != ipc.PhaseHello }

// spawn has a child started.
func (b *broker) spawn() error {
	c, err := b.spawner.Spawn(ipc.NetprocProgram)
	if err == nil {
		b.child = &child{Child: c, phase: ipc.PhaseHello, deadline: b.now + startTime}
	}
	return err
}

// end has the child killed and says how it ended.
func (b *broker) end() children.Ending {
	e, err := b.spawner.End(b.child.Child)
	if err != nil && b.lost == nil {
		b.lost = err
		b.log.Error("network process lost", "error", err)
	}
	if e.Words != "" {
		b.log.Error("network process says", "words", e.Words) // one line, however many it makes of them
	}
	b.child = nil
	return e
}

// send puts a message on the control lane; it travels with the turn's batch.
// A child that has not said Hello hears nothing: it will be told everything.
func (b *broker) send(h ipc.Header, m ipc.Message) {
	if !b.child.configured() {
		return
	}
	h.Generation = b.generation
	b.outgoing.Add(h, m)
}

// answer answers a request.
func (b *broker) answer(h ipc.Header, request ipc.Type, code ipc.Code) {
	b.send(ipc.Header{Slot: h.Slot, Sequence: h.Sequence}, ipc.Result{Request: request, Code: code})
}
