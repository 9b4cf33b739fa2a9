package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/engine/sim"
)

var update = flag.Bool("update", false, "rewrite testdata and docs/states.md from what the engine does")

// TestScripts runs testdata/*.txt: blocks of commands, ----, and the trace
// they give, up to an empty line. Lines that begin with # outside a trace are
// comments; they name the rules that a block shows, and those whose opposite it
// shows not to happen, as in (S7, not S6). The commands:
//
//	router [version=] [priority=] [interval=] [preempt=] [preempt-delay=]
//	       [startup-delay=] [repeat=] [delay=]
//	INSTANT EVENT       one step, see sim.ParseEvent
//	run INSTANT         a tick at every deadline up to the instant
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := runScript(string(want))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// runScript returns the script with every trace replaced by what the engine
// does now.
func runScript(text string) (string, error) {
	var out strings.Builder
	var r scriptRunner
	inTrace := false
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case line == "":
			inTrace = false
		case inTrace:
			continue
		case line == "----":
			inTrace = true
			fmt.Fprintf(&out, "----\n%s", r.trace.String())
			r.trace.Reset()
			continue
		case !strings.HasPrefix(line, "#"):
			if err := r.command(strings.Fields(line)); err != nil {
				return "", fmt.Errorf("line %d: %w", number+1, err)
			}
		}
		out.WriteString(line + "\n")
	}
	if r.trace.Len() > 0 {
		return "", fmt.Errorf("last commands have no ----")
	}
	return out.String(), nil
}

type scriptRunner struct {
	vr      *engine.VirtualRouter
	monitor *sim.Monitor
	trace   strings.Builder
}

func (r *scriptRunner) command(words []string) error {
	if words[0] == "router" {
		c, err := sim.ParseConfig(words[1:])
		r.vr, r.monitor = engine.New(c), sim.NewMonitor(c)
		fmt.Fprintf(&r.trace, "= %s\n", r.vr.Timers())
		return err
	}
	if r.vr == nil {
		return fmt.Errorf("no router yet")
	}
	if words[0] == "run" && len(words) == 2 {
		until, err := time.ParseDuration(words[1])
		if err != nil {
			return err
		}
		for {
			at, _, ok := r.vr.Deadline()
			if !ok || at > engine.Instant(until) {
				return nil
			}
			if err := r.step(at, engine.Tick{}); err != nil {
				return err
			}
		}
	}
	at, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	ev, err := sim.ParseEvent(words[1:])
	if err != nil {
		return err
	}
	return r.step(engine.Instant(at), ev)
}

func (r *scriptRunner) step(at engine.Instant, ev engine.Event) error {
	actions := r.vr.Step(at, ev, nil)
	fmt.Fprintf(&r.trace, "%s %s\n", time.Duration(at), sim.FormatEvent(ev))
	for _, a := range actions {
		fmt.Fprintf(&r.trace, "  %s\n", sim.FormatAction(a))
	}
	fmt.Fprintf(&r.trace, "  = %s\n", r.vr.Timers())
	return r.monitor.Check(at, ev, r.vr, actions)
}
