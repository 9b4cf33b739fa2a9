package netproc

import (
	"testing"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// TestTranslation: every value has a counterpart of its own, and there are no
// counterparts left over.
func TestTranslation(t *testing.T) {
	t.Parallel()
	t.Run("reasons", func(t *testing.T) {
		t.Parallel()
		seen := map[report.Reason]engine.Reason{}
		for r := engine.NoReason + 1; r.String() != "unknown"; r++ {
			got := reason(r)
			if other, used := seen[got]; got == 0 || used {
				t.Errorf("reason %v: got %v, which is none or also %v", r, got, other)
			}
			seen[got] = r
		}
		for r := report.ReasonStartup; r <= report.ReasonLeaseLost; r++ {
			if _, used := seen[r]; !used {
				t.Errorf("reason %v is never given", r)
			}
		}
		if got := reason(engine.NoReason); got != 0 {
			t.Errorf("no reason: got %v", got)
		}
	})
	t.Run("states", func(t *testing.T) {
		t.Parallel()
		for s := engine.Initialize; s.String() != "unknown"; s++ {
			if got := state(s).String(); got != s.String() {
				t.Errorf("state %v: got %v", s, got)
			}
		}
	})
	t.Run("problems", func(t *testing.T) {
		t.Parallel()
		last := report.Drop(0)
		for p := wire.NoProblem + 1; p < wire.NumProblems; p++ {
			got := dropOf(p)
			if got <= last { // both lists are in the order of the checks
				t.Errorf("problem %v: got %v, after %v", p, got, last)
			}
			last = got
		}
		if got := dropOf(wire.NoProblem); got != 0 {
			t.Errorf("no problem: got %v", got)
		}
	})
}
