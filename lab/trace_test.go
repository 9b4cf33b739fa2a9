//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"github.com/rvrrpd/rvrrpd/walls/rules"
)

// line is a line of a list of system calls.
type line struct {
	call, reason string
	args         [][3]uint64 // index, mask, value
	fatal        bool        // a line that kills
}

func (l line) String() string { return l.call + ": " + l.reason }

// lists are those of the processes, as far as they are for this
// architecture; the names are those that the processes give themselves.
func lists() map[string][]line {
	out := make(map[string][]line)
	for name, list := range map[string][]sandbox.Rule{"rvrrpd-netproc": sandbox.Rules, "rvrrpd-keeper": sandbox.KeeperRules} {
		for _, r := range list {
			l := line{call: r.Call, reason: r.Reason}
			for _, a := range r.Args {
				l.args = append(l.args, [3]uint64{uint64(a.Index), a.Mask, a.Value})
			}
			if r.Arch == "" || r.Arch == runtime.GOARCH {
				out[name] = append(out[name], l)
			}
		}
	}
	out["rvrrpd-read"] = out["rvrrpd-netproc"]
	for name, list := range map[string][]rules.Rule{"rvrrpd-parent": rules.Parent, "rvrrpd-spawn": rules.Spawner, "rvrrpd-sniff": rules.Sniffer} {
		for _, r := range list {
			l := line{call: r.Call, reason: r.Reason, fatal: r.Kill}
			for _, a := range r.Args {
				l.args = append(l.args, [3]uint64{uint64(a.Index), a.Mask, a.Value})
			}
			if r.Arch == "" || r.Arch == runtime.GOARCH {
				out[name] = append(out[name], l)
			}
		}
	}
	return out
}

// covers says whether the line is about a call with these arguments.
func (l line) covers(call string, args []uint64) bool {
	for _, a := range l.args {
		value := uint64(0)
		if a[0] < uint64(len(args)) {
			value = args[a[0]]
		}
		if value&a[1] != a[2] {
			return false
		}
	}
	return l.call == call
}

// traces counts by process and line how often each was used, and lists the
// calls that are on no line.
type traces struct {
	lists    map[string][]line
	used     map[string]map[string]int
	unlisted map[string]int
	loaded   map[string]int // filters, by process
}

func newTraces() *traces {
	t := &traces{lists: lists(), used: make(map[string]map[string]int), unlisted: make(map[string]int), loaded: make(map[string]int)}
	for name := range t.lists {
		t.used[name] = make(map[string]int)
	}
	return t
}

// straced runs a command as it has to be traced: all processes, arguments as
// numbers, but for clone(2), to see who came of it, in our numbers, and for
// prctl(2), from which strace learns the names of processes.
func straced(file string, argv ...string) []string {
	return append([]string{"strace", "-D", "-f", "--decode-pids=comm,pidns", "-qq", "-X", "raw", "-e", "raw=!clone,prctl,execve", "-o", file}, argv...)
}

var (
	// traced is the begin of a call: thread, its name, call, arguments.
	traced = regexp.MustCompile(`^(\d+)<([^>]*)> (\w+)\(([^)]*)`)
	// born is the end of a clone: thread, and the new one's number, in our
	// namespace if that is another.
	born = regexp.MustCompile(`^(\d+)<[^>]*> (?:clone\(|<\.\.\. clone resumed>).* = (\d+)<[^>]*>(?: /\* (\d+) in strace's PID NS \*/)?$`)
	// executed is the begin of an execve(2) of a file of ours, with its name: of who
	// had several threads strace goes on to tell the name from before.
	executed = regexp.MustCompile(`^(\d+)<[^>]*> execve\("[^"]*/(rvrrpd[^"/]*)"`)
	// confirmed is the end of a call that loads a filter.
	confirmed = regexp.MustCompile(`^(\d+)<([^>]*)> (?:seccomp\(|<\.\.\. seccomp resumed>).* = 0$`)
	flagged   = regexp.MustCompile(`flags=([0-9a-fx|]+)`)
)

// birth is where a thread or process comes from.
type birth struct {
	of     string
	thread bool
}

// births reads them first: what is new runs before its clone has come back.
func births(lines []string) map[string]birth {
	all, flags := make(map[string]birth), make(map[string]uint64)
	for _, text := range lines {
		if m := traced.FindStringSubmatch(text); m != nil && m[3] == "clone" {
			flags[m[1]] = numbers(m[3], m[4])[0]
		}
		if m := born.FindStringSubmatch(text); m != nil {
			child := m[2]
			if m[3] != "" {
				child = m[3]
			}
			all[child] = birth{m[1], flags[m[1]]&0x10000 != 0} // CLONE_THREAD
		}
	}
	return all
}

// follow reads a trace. A process is judged by the list of the last filter
// that it, or who started it, has loaded; threads belong to who cloned them.
func (t *traces) follow(tb testing.TB, file string) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	from, behind, runs := births(lines), make(map[string]string), make(map[string]string)
	leader := func(tid string) string {
		for from[tid].thread {
			tid = from[tid].of
		}
		if _, known := behind[tid]; !known {
			behind[tid] = ""
			if above, is := from[tid]; is {
				for from[above.of].thread {
					above = from[above.of]
				}
				behind[tid] = behind[above.of]
			}
		}
		return tid
	}
	for _, text := range lines {
		if m := traced.FindStringSubmatch(text); m != nil {
			if list := behind[leader(m[1])]; list != "" {
				t.count(list, m[3], numbers(m[3], m[4]))
			}
		}
		if m := executed.FindStringSubmatch(text); m != nil {
			runs[leader(m[1])] = m[2]
		}
		if m := confirmed.FindStringSubmatch(text); m != nil {
			program := m[2] // which a process has given itself, if it was executed by a descriptor
			if name := runs[leader(m[1])]; name != "" {
				program = name
			}
			if behind[leader(m[1])] = program; t.lists[program] == nil {
				tb.Errorf("a filter is loaded by %q", program)
			}
			t.loaded[program]++
		}
		if strings.Contains(text, "--- SIGSYS") {
			t.unlisted[text]++
		}
	}
}

// numbers reads arguments; what is not there, because the call is still under
// way, is left out. Of clone they are the flags, which come first.
func numbers(call, text string) (args []uint64) {
	if m := flagged.FindStringSubmatch(text); call == "clone" && m != nil {
		args = append(args, 0)
		for bits := range strings.SplitSeq(m[1], "|") {
			v, _ := strconv.ParseUint(bits, 0, 64)
			args[0] |= v
		}
		return args
	}
	for field := range strings.SplitSeq(strings.TrimSuffix(text, " <unfinished ...>"), ",") {
		v, err := strconv.ParseUint(strings.TrimSpace(field), 0, 64)
		if err != nil {
			break
		}
		args = append(args, v)
	}
	return args
}

// count finds the line of a call.
func (t *traces) count(list, call string, args []uint64) {
	found := false
	for _, l := range t.lists[list] {
		if l.covers(call, args) && !l.fatal {
			t.used[list][l.String()]++
			found = true
		}
	}
	if !found {
		t.unlisted[fmt.Sprintf("%s: %s %#x", list, call, args)]++
	}
}

// report logs each line of a list with its use, and returns those never used.
func (t *traces) report(tb testing.TB, list string) (never []string) {
	tb.Helper()
	var b strings.Builder
	for _, l := range t.lists[list] {
		switch n := t.used[list][l.String()]; {
		case l.fatal:
		case n > 0:
			fmt.Fprintf(&b, "\t%7d times  %v\n", n, l)
		case !slices.Contains(never, l.String()):
			fmt.Fprintf(&b, "\t  never used  %v\n", l)
			never = append(never, l.String())
		}
	}
	tb.Logf("%s:\n%s", list, b.String())
	return never
}
