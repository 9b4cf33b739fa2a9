package ipc

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// expected is the table once more, as docs/architecture.md tells it: who
// (P parent, C child), lane, phases (Hello, Configure, Run, Stop), size, slot.
var expected = map[Type]struct {
	from, lane, phases string
	min, max           int
	slot               string
}{
	TypeHello:       {"PC", "control", "H", 65, 65, "none"},
	TypeRouter:      {"P", "control", "CR", 83, 4401, "one"},
	TypeLinkState:   {"P", "control", "CRS", 596, 596, "none"},
	TypeRestore:     {"P", "control", "C", 0, 0, "one"},
	TypeSecret:      {"P", "control", "CR", 1, 4097, "one"},
	TypeMark:        {"PC", "control", "CRS", 29, 29, "one"},
	TypeOwner:       {"P", "control", "CRS", 1, 1, "one"},
	TypeCommit:      {"P", "control", "CR", 2, 2, "none"},
	TypeFrame:       {"P", "frames", "CRS", 11, 4187, "none"},
	TypeResult:      {"P", "control", "CRS", 3, 3, "any"},
	TypeStop:        {"P", "control", "CRS", 0, 0, "none"},
	TypeReady:       {"C", "control", "CRS", 0, 0, "none"},
	TypeAdvertise:   {"C", "control", "RS", 8, 4116, "one"},
	TypeAcquire:     {"C", "control", "RS", 0, 0, "one"},
	TypeRelease:     {"C", "control", "RS", 0, 0, "one"},
	TypeAnnounce:    {"C", "control", "RS", 2, 2, "one"},
	TypeDrain:       {"C", "control", "RS", 0, 0, "none"},
	TypeStateChange: {"C", "control", "RS", 27, 539, "one"},
	TypeDropped:     {"C", "control", "RS", 33, 545, "none"},
	TypeNoticed:     {"C", "control", "RS", 49, 561, "none"},
	TypeMissed:      {"P", "control", "RS", 8, 8, "none"},
	TypeLook:        {"C", "control", "RS", 17, 17, "one"},
	TypeTapped:      {"P", "control", "CRS", 2, 130, "none"},
	TypeLooked:      {"C", "control", "RS", 26, 538, "one"},
	TypeMoved:       {"P", "control", "CRS", 1, 1, "one"},
	TypePing:        {"PC", "control", "RS", 0, 0, "none"},
	TypeSniff:       {"P", "control", "C", 7, 375, "none"},
	TypeCapture:     {"P", "control", "N", 34, 4274, "none"},
	TypeShown:       {"C", "control", "N", 0, 28672, "none"},
}

// TestCheck tries every type, known or not, from each side, on each lane, in
// each phase, at the edges of its size, with and without a slot.
func TestCheck(t *testing.T) {
	t.Parallel()
	sides := map[string]Side{"P": FromParent, "C": FromChild}
	lanes := map[string]Lane{"control": LaneControl, "frames": LaneFrames}
	phases := map[string]Phase{"H": PhaseHello, "C": PhaseConfigure, "R": PhaseRun, "S": PhaseStop, "N": PhaseSniff}
	slots := map[Slot]string{0: "one", 7: "one", NoSlot - 1: "one", NoSlot: "none"}
	accepted := make(map[Type]int)
	for i := range 256 {
		ty := Type(i)
		want, known := expected[ty]
		for from, side := range sides {
			for laneName, lane := range lanes {
				for phaseName, phase := range phases {
					for _, n := range []int{-1, 0, want.min - 1, want.min, want.max, want.max + 1, 65535} {
						for slot, named := range slots {
							reason := ""
							switch {
							case !known:
								reason = "unknown type"
							case !strings.Contains(want.from, from):
								reason = "wrong direction"
							case laneName != want.lane:
								reason = "wrong lane"
							case !strings.Contains(want.phases, phaseName):
								reason = "wrong phase"
							case n < want.min || n > want.max:
								reason = fmt.Sprintf("payload of %d bytes, accepted: %d..%d", n, want.min, want.max)
							case want.slot == "one" && named == "none":
								reason = "slot missing"
							case want.slot == "none" && named == "one":
								reason = "slot given where none belongs"
							}
							h := Header{Type: ty, Slot: slot, Sequence: 5}
							err := Check(h, n, side, lane, phase)
							where := fmt.Sprintf("%v from %s, lane %s, phase %s, %d bytes, slot %d", ty, from, laneName, phaseName, n, slot)
							if reason == "" {
								accepted[ty]++
								if err != nil {
									t.Errorf("%s: %v", where, err)
								}
								continue
							}
							var v *Violation
							if !errors.As(err, &v) || v.Header != h || v.Reason != reason || !strings.Contains(v.Error(), reason) {
								t.Errorf("%s: %v, want %s", where, err, reason)
							}
						}
					}
				}
			}
		}
	}
	for ty := range expected {
		if accepted[ty] == 0 {
			t.Errorf("%v: no case was accepted", ty)
		}
	}
}

// TestNoPhase: before any phase, or with a wrong mask, nothing is allowed.
func TestNoPhase(t *testing.T) {
	t.Parallel()
	for ty, want := range expected {
		h := Header{Type: ty, Slot: NoSlot}
		if want.slot == "one" {
			h.Slot = 0
		}
		lane := LaneControl
		if want.lane == "frames" {
			lane = LaneFrames
		}
		if Check(h, want.min, FromChild|FromParent, lane, 0) == nil {
			t.Errorf("%v is allowed in no phase", ty)
		}
		if Check(h, want.min, 0, lane, PhaseHello|PhaseConfigure|PhaseRun|PhaseStop) == nil {
			t.Errorf("%v is allowed from nobody", ty)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		ty := Type(i)
		r, ok := RuleOf(ty)
		want, known := expected[ty]
		if ok != known {
			t.Errorf("type %d: has a row: %v, want %v", i, ok, known)
		}
		if ok && (r.Name == "" || r.Min != want.min || r.Max != want.max) {
			t.Errorf("%v: row %+v", ty, r)
		}
		if HeaderLen+r.Max+chunk > MaxDatagram {
			t.Errorf("%v: does not fit a datagram", ty)
		}
	}
}
