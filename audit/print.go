package audit

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// print writes the report of a daemon for people.
func (d *Daemon) print(w io.Writer) {
	fmt.Fprintf(w, "daemon %d, profile %s: %s\n", d.PID, d.Profile, d.verdict())
	for _, m := range d.Missing {
		fmt.Fprintf(w, "  %s %s\n", brokenWord(d.early), m)
	}
	for _, p := range d.Processes {
		fmt.Fprintf(w, "\n%s %d\n", p.Role, p.PID)
		p.print(w)
	}
	fmt.Fprintln(w)
}

// print writes what is known of a process: of its first thread, for those
// that differ from it fail.
func (p *Process) print(w io.Writer) {
	t := p.Threads[0]
	fmt.Fprintf(w, "  users %s; groups %s; supplementary groups %q; users of its namespace %q\n", t.UIDs, t.GIDs, t.Groups, p.UIDMap)
	for _, name := range []string{"permitted", "effective", "bounding", "inheritable", "ambient"} {
		fmt.Fprintf(w, "  capabilities %s: %s\n", name, t.Sets[name])
	}
	fmt.Fprintf(w, "  threads %d; no_new_privs %s; seccomp mode %s, filters %s\n", len(p.Threads), t.NoNewPrivs, t.Seccomp, t.Filters)
	fmt.Fprintf(w, "  landlock: %s\n", p.Landlock)
	fmt.Fprintf(w, "  dumpable: %s\n", p.Dumpable)
	fmt.Fprintf(w, "  namespaces: %s\n", pairs(p.Namespaces))
	fmt.Fprintf(w, "  interfaces: %s\n", strings.Join(p.Interfaces, " "))
	fmt.Fprintf(w, "  root directory: %s; mounts: %d\n", shown(p.Root), len(p.Mounts))
	fmt.Fprintf(w, "  descriptors: %s\n", pairs(p.Descriptors))
	fmt.Fprintf(w, "  limits: %s\n", pairs(p.Limits))
	for _, c := range p.Checks {
		if c.Pass {
			fmt.Fprintf(w, "  pass %s\n", c.Promise)
		} else {
			fmt.Fprintf(w, "  %s %s: %s\n", brokenWord(c.ToCome), c.Promise, c.Found)
		}
	}
}

// brokenWord says of a promise that is not kept whether it still may be.
func brokenWord(early bool) string {
	if early {
		return "to come"
	}
	return "FAIL"
}

// shown is a list of names.
func shown(names []string) string {
	if len(names) == 0 {
		return "empty"
	}
	return strings.Join(names, " ") + " ..."
}

func (d *Daemon) verdict() string {
	switch {
	case d.Pass:
		return "every promise is kept"
	case d.Starting != "":
		return "starting: " + d.Starting
	}
	return "NOT AS PROMISED"
}

// pairs prints a map in order.
func pairs[V any](m map[string]V) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s=%v", strings.ReplaceAll(k, " ", "-"), m[k]))
	}
	return strings.Join(out, " ")
}
