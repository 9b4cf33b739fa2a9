package ipc

import "fmt"

// Side is an end of the lanes.
type Side uint8

// Sides.
const (
	FromParent Side = 1 << iota
	FromChild
)

// Lane is one of the two socketpairs.
type Lane uint8

// Lanes.
const (
	LaneControl Lane = iota // ordered, never dropped
	LaneFrames              // drop and count
)

// Phase is a phase of the child's life, as the receiver of a message sees it.
type Phase uint8

// Phases. A request may be on its way while the parent says Stop, so that
// PhaseStop allows all that PhaseRun does.
const (
	PhaseHello     Phase = 1 << iota // until the other end has said Hello
	PhaseConfigure                   // until the child is Ready
	PhaseRun
	PhaseStop  // after Stop
	PhaseSniff // instead of PhaseRun, after Sniff
)

const (
	working = PhaseRun | PhaseStop
	awake   = PhaseConfigure | PhaseRun | PhaseStop
	both    = FromParent | FromChild
)

// Rule is the row of one message.
type Rule struct {
	Name   string
	From   Side  // who may send it
	Lane   Lane  // where
	Phases Phase // when
	Min    int   // payload length in bytes
	Max    int
	Slot   bool // the header names a slot; else NoSlot. A Result repeats its request's.
}

const (
	addrLen    = 1 + 16
	routerLen  = 2 + 1 + 1 + 1 + 1 + 1 + 1 + 8 + 1 + 8 + 8 + 1 + 5 + 1 + 1 + 8 + 8 + 8 + 1
	linkLen    = 3 + addrLen + MaxNetworks*(addrLen+1)
	frameLen   = 2 + 1 + 8
	changeLen  = 3 + addrLen + 1 + 1 + 4 + 1
	captureLen = 8 + 2 + 4 + 1 + 2 + 2 + NameLen
	sniffLen   = 3 + 1 + 1 + 1 + 1
	droppedLen = 2 + 1 + 1 + addrLen + 4 + 8
	noticedLen = droppedLen + 8 + 8
	lookedLen  = addrLen + 1 + 4 + 4
)

// rules has one row for each message.
var rules = [NumTypes]Rule{
	TypeHello:       {"hello", both, LaneControl, PhaseHello, BuildLen + 1, BuildLen + 1, false},
	TypeRouter:      {"router", FromParent, LaneControl, PhaseConfigure | PhaseRun, routerLen + addrLen, routerLen + MaxAddresses*addrLen, true},
	TypeLinkState:   {"link-state", FromParent, LaneControl, awake, linkLen, linkLen, false},
	TypeRestore:     {"restore", FromParent, LaneControl, PhaseConfigure, 0, 0, true},
	TypeSecret:      {"secret", FromParent, LaneControl, PhaseConfigure | PhaseRun, 1, 1 + MaxSecret, true},
	TypeMark:        {"mark", both, LaneControl, awake, addrLen + 12, addrLen + 12, true},
	TypeOwner:       {"owner", FromParent, LaneControl, awake, 1, 1, true},
	TypeCommit:      {"commit", FromParent, LaneControl, PhaseConfigure | PhaseRun, 2, 2, false},
	TypeFrame:       {"frame", FromParent, LaneFrames, awake, frameLen, frameLen + MaxFrame, false},
	TypeResult:      {"result", FromParent, LaneControl, awake, 3, 3, true},
	TypeStop:        {"stop", FromParent, LaneControl, awake, 0, 0, false},
	TypeReady:       {"ready", FromChild, LaneControl, awake, 0, 0, false},
	TypeAdvertise:   {"advertise", FromChild, LaneControl, working, 8, MaxAdvertisement, true},
	TypeAcquire:     {"acquire", FromChild, LaneControl, working, 0, 0, true},
	TypeRelease:     {"release", FromChild, LaneControl, working, 0, 0, true},
	TypeAnnounce:    {"announce", FromChild, LaneControl, working, 2, 2, true},
	TypeDrain:       {"drain", FromChild, LaneControl, working, 0, 0, false},
	TypeStateChange: {"state-change", FromChild, LaneControl, working, changeLen, changeLen + MaxHint, true},
	TypeDropped:     {"dropped", FromChild, LaneControl, working, droppedLen, droppedLen + MaxHint, false},
	TypeNoticed:     {"noticed", FromChild, LaneControl, working, noticedLen, noticedLen + MaxHint, false},
	TypePing:        {"ping", both, LaneControl, working, 0, 0, false},
	TypeSniff:       {"sniff", FromParent, LaneControl, PhaseConfigure, sniffLen, sniffLen + MaxOwn*(addrLen+6), false},
	TypeCapture:     {"capture", FromParent, LaneControl, PhaseSniff, captureLen, captureLen + MaxCapture, false},
	TypeShown:       {"shown", FromChild, LaneControl, PhaseSniff, 0, MaxShown, false},
	TypeMissed:      {"missed", FromParent, LaneControl, working, 8, 8, false},
	TypeLook:        {"look", FromChild, LaneControl, working, addrLen, addrLen, true},
	TypeTapped:      {"tapped", FromParent, LaneControl, awake, 2, 2 + MaxTapped, false},
	TypeMoved:       {"moved", FromParent, LaneControl, awake, 1, 1, true},
	TypeLooked:      {"looked", FromChild, LaneControl, working, lookedLen, lookedLen + MaxHint, true},
}

// RuleOf returns the row of a message, and false where there is none.
func RuleOf(t Type) (Rule, bool) {
	if t == 0 || t >= NumTypes {
		return Rule{}, false
	}
	return rules[t], true
}

// Violation is a message that the table forbids.
type Violation struct {
	Header Header
	Reason string
}

func (v *Violation) Error() string {
	return fmt.Sprintf("message %v (slot %#x): %s", v.Header.Type, uint16(v.Header.Slot), v.Reason)
}

// Check holds a message with a payload of n bytes against the table. The
// error is a *Violation.
func Check(h Header, n int, from Side, lane Lane, phase Phase) error {
	r, known := RuleOf(h.Type)
	switch {
	case !known:
		return &Violation{h, "unknown type"}
	case r.From&from == 0:
		return &Violation{h, "wrong direction"}
	case r.Lane != lane:
		return &Violation{h, "wrong lane"}
	case r.Phases&phase == 0:
		return &Violation{h, "wrong phase"}
	case n < r.Min || n > r.Max:
		return &Violation{h, fmt.Sprintf("payload of %d bytes, accepted: %d..%d", n, r.Min, r.Max)}
	case h.Type == TypeResult: // names what its request named
		return nil
	case r.Slot && h.Slot == NoSlot:
		return &Violation{h, "slot missing"}
	case !r.Slot && h.Slot != NoSlot:
		return &Violation{h, "slot given where none belongs"}
	}
	return nil
}
