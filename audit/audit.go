// Package audit looks at a running daemon from outside and holds what /proc
// says of each of its processes against what the documentation promises. It
// shares no code with what it looks at.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Options are what Run is asked for.
type Options struct {
	// JSON has one object printed instead of text.
	JSON bool
	// Out is where the report goes.
	Out io.Writer
	// Proc is where the kernel tells of processes; "" is /proc.
	Proc string
}

// Daemon is a running daemon.
type Daemon struct {
	PID       int        `json:"pid"`
	Profile   string     `json:"profile"` // root, or user
	Processes []*Process `json:"processes"`
	// Missing lists roles that nobody plays.
	Missing []string `json:"missing,omitempty"`
	Pass    bool     `json:"pass"`
}

// ErrNone is returned where no daemon can be seen.
var ErrNone = errors.New("no rvrrpd is running that can be seen from here")

// Run looks at every daemon it can see and prints a report. It returns false
// where any promise is not kept, and an error, ErrNone among them, where it
// could not look.
func Run(o Options) (ok bool, err error) {
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	daemons, err := find(o.Proc)
	if err != nil {
		return false, err
	}
	if len(daemons) == 0 {
		return false, ErrNone
	}
	ok = true
	for i, d := range daemons {
		err := d.examine(o.Proc)
		if errors.Is(err, fs.ErrNotExist) { // it has just ended
			daemons[i] = nil
			continue
		} else if err != nil {
			return false, fmt.Errorf("daemon %d: %w (only its user, or root, may look)", d.PID, err)
		}
		ok = ok && d.Pass
	}
	daemons = slices.DeleteFunc(daemons, func(d *Daemon) bool { return d == nil })
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return ok, e.Encode(map[string]any{"daemons": daemons, "pass": ok})
	}
	for _, d := range daemons {
		d.print(o.Out)
	}
	return ok, nil
}

// names of the processes, as the kernel cuts them.
var names = map[string]string{"rvrrpd-spawn": roleSpawner, "rvrrpd-netproc": roleChild}

// find lists the daemons: a parent is what has a spawner, or is called rvrrpd
// and was told to run virtual routers.
func find(proc string) (daemons []*Daemon, err error) {
	dirs, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return nil, err
	}
	byParent := make(map[int][]*Process)
	parents := make(map[int]bool)
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		lines, err := status(filepath.Join(dir, "status"))
		if err != nil || pid == os.Getpid() {
			continue
		}
		above, _ := strconv.Atoi(lines["PPid"])
		if role := names[lines["Name"]]; role != "" {
			byParent[above] = append(byParent[above], &Process{PID: pid, Role: role, parent: above})
			if role == roleSpawner {
				parents[above] = true
			}
		} else if lines["Name"] == "rvrrpd" && runsRouters(dir) {
			parents[pid] = true
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(parents)) {
		d := &Daemon{PID: pid, Processes: []*Process{{PID: pid, Role: roleParent}}}
		for _, s := range byParent[pid] {
			d.Processes = append(append(d.Processes, s), byParent[s.PID]...)
		}
		daemons = append(daemons, d)
	}
	return daemons, nil
}

// runsRouters says whether a process was started with -m1 or -m2.
func runsRouters(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return false
	}
	line := strings.ReplaceAll(string(b), "\x00", " ")
	for _, mode := range []string{"1", "2"} {
		for _, option := range []string{"-m" + mode, "-m " + mode, "--mode=" + mode, "--mode " + mode, "-m=" + mode} {
			if strings.Contains(line+" ", " "+option+" ") {
				return true
			}
		}
	}
	return false
}

// examine looks at every process of a daemon.
func (d *Daemon) examine(proc string) error {
	for _, p := range d.Processes {
		if err := look(proc, p, d.PID); err != nil {
			return err
		}
	}
	first := d.Processes[0]
	if len(first.Threads) == 0 {
		return errors.New("has ended")
	}
	service, _, _ := strings.Cut(first.Threads[0].UIDs, " ")
	if d.Profile = "user"; service == "0" {
		d.Profile = "root"
	}
	d.Pass = true
	for _, role := range []string{roleSpawner, roleChild} {
		n := 0
		for _, p := range d.Processes {
			if p.Role == role {
				n++
			}
		}
		if n != 1 {
			d.Missing = append(d.Missing, fmt.Sprintf("%d processes are its %s, not 1", n, role))
			d.Pass = false
		}
	}
	for _, p := range d.Processes {
		p.Landlock = "not shown by the kernel; the daemon does not start without"
		judge(p, service)
		for _, c := range p.Checks {
			d.Pass = d.Pass && c.Pass
		}
	}
	return nil
}

// print writes the report of a daemon for people.
func (d *Daemon) print(w io.Writer) {
	fmt.Fprintf(w, "daemon %d, profile %s: %s\n", d.PID, d.Profile, verdict(d.Pass))
	for _, m := range d.Missing {
		fmt.Fprintf(w, "  FAIL %s\n", m)
	}
	for _, p := range d.Processes {
		fmt.Fprintf(w, "\n%s %d\n", p.Role, p.PID)
		if len(p.Threads) > 0 {
			t := p.Threads[0]
			fmt.Fprintf(w, "  users %s; groups %s; supplementary %q\n", t.UIDs, t.GIDs, t.Groups)
			for _, name := range []string{"permitted", "effective", "bounding", "inheritable", "ambient"} {
				fmt.Fprintf(w, "  capabilities %s: %s\n", name, t.Sets[name])
			}
			fmt.Fprintf(w, "  threads %d; no_new_privs %s; seccomp %s with %s filters\n", len(p.Threads), t.NoNewPrivs, t.Seccomp, t.Filters)
		}
		fmt.Fprintf(w, "  landlock: %s\n", p.Landlock)
		fmt.Fprintf(w, "  namespaces: %s\n", pairs(p.Namespaces))
		fmt.Fprintf(w, "  descriptors: %s\n", pairs(p.Descriptors))
		fmt.Fprintf(w, "  interfaces: %s\n", strings.Join(p.Interfaces, " "))
		fmt.Fprintf(w, "  root directory: %s\n", strings.Join(append([]string{fmt.Sprint(len(p.Root), " names")}, p.Root...), " "))
		fmt.Fprintf(w, "  limits: %s\n", pairs(p.Limits))
		for _, c := range p.Checks {
			if c.Pass {
				fmt.Fprintf(w, "  pass %s\n", c.Promise)
			} else {
				fmt.Fprintf(w, "  FAIL %s: %s\n", c.Promise, c.Found)
			}
		}
	}
	fmt.Fprintln(w)
}

func verdict(pass bool) string {
	if pass {
		return "every promise is kept"
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
