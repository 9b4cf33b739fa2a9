package engine

// VirtualRouter is the state of one virtual router. The zero value is not
// usable; see New.
type VirtualRouter struct {
	config Config
	state  State
}

// New returns a virtual router in Initialize.
func New(c Config) *VirtualRouter { return &VirtualRouter{config: c} }

// State returns the current state.
func (vr *VirtualRouter) State() State { return vr.state }

// Deadline returns the instant at which the virtual router wants a Tick, and
// false when no timer runs. takeover tells that it is the Active_Down_Timer:
// the caller first delivers every advertisement that arrived before it.
func (vr *VirtualRouter) Deadline() (at Instant, takeover, ok bool) { return 0, false, false }

// Step applies one event at the instant now and appends what it wants done to
// actions. Advertisements may be delivered with an instant in the past (their
// arrival); instants never go back otherwise.
func (vr *VirtualRouter) Step(now Instant, ev Event, actions []Action) []Action { return actions }
