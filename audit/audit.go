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
	"syscall"
	"time"
)

// Options are what Run is asked for.
type Options struct {
	// JSON has one object printed instead of text.
	JSON bool
	// Out is where the report goes.
	Out io.Writer
	// Proc is where the kernel tells of processes; "" is /proc.
	Proc string

	// owner is the user a file of /proc belongs to; a test cannot give files away.
	owner func(path string) (uint32, error)
	// uptime is for how long the machine has been running.
	uptime func() (time.Duration, error)
}

// Daemon is a running daemon.
type Daemon struct {
	PID     int    `json:"pid"`
	Profile string `json:"profile"` // root, user, or sniffer
	sniffer bool
	// Activated: the spawner is a service of its own.
	Activated bool       `json:"activated"`
	Processes []*Process `json:"processes"`
	// Missing lists roles that nobody plays.
	Missing []string `json:"missing,omitempty"`
	tooMany bool     // play one
	early   bool     // and the missing ones may still come
	// Starting says what is still to come, of one that does not pass yet.
	Starting string `json:"starting,omitempty"`
	Pass     bool   `json:"pass"`
}

// ErrNone is returned where no daemon can be seen.
var ErrNone = errors.New("no rvrrpd is running that can be seen from here")

// ErrStarting is returned where every daemon passes but those that are starting.
var ErrStarting = errors.New("a daemon is starting: look again")

// Run looks at every daemon it can see and prints a report. It returns false
// where any promise is not kept, and an error, ErrNone among them, where it
// could not look, or where that is too early to say: ErrStarting.
func Run(o Options) (ok bool, err error) {
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	if o.owner == nil {
		o.owner = owner
	}
	if o.uptime == nil {
		o.uptime = uptime
	}
	daemons, strangers, err := survey(o)
	if !o.JSON {
		for _, pid := range strangers {
			fmt.Fprintf(o.Out, "process %d is called like rvrrpd, and does not run our program of that name, or one that is not root's: not looked at\n", pid)
		}
	}
	if err != nil {
		return false, err
	}
	ok, early := true, true
	for _, d := range daemons {
		ok = ok && d.Pass
		early = early && (d.Pass || d.Starting != "")
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		err = e.Encode(map[string]any{"daemons": daemons, "strangers": strangers, "pass": ok})
	} else {
		for _, d := range daemons {
			d.print(o.Out)
		}
	}
	if err == nil && early && !ok {
		err = ErrStarting
	}
	return ok, err
}

// attempts is how often the audit begins again with a daemon because a process has ended
// while it was looked at; a network process is back in a moment.
const attempts = 20

// gone says whether an error is that of a process which has ended, or is about to: it has
// no mounts then any more, which the kernel calls invalid.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL)
}

// survey looks at every daemon it can see; one that cannot be looked at is an
// error, so that nothing passes unseen.
func survey(o Options) (looked []*Daemon, strangers []int, err error) {
	daemons, strangers, err := find(o)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range daemons {
		d, err := insist(o, d)
		if err != nil {
			return nil, strangers, err
		}
		if d != nil {
			looked = append(looked, d)
		}
	}
	if len(looked) == 0 {
		return nil, strangers, ErrNone
	}
	return looked, strangers, nil
}

// insist looks at a daemon, and begins again with it where a process of it has ended
// meanwhile, whatever becomes of others; nil if it has ended itself.
func insist(o Options, d *Daemon) (*Daemon, error) {
	for n := 1; ; n++ {
		err := d.examine(o)
		if err == nil {
			return d, nil
		}
		if !gone(err) || n == attempts {
			return nil, fmt.Errorf("daemon %d: %w (only root may look)", d.PID, err)
		}
		again, _, err := find(o)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(again, func(a *Daemon) bool { return a.PID == d.PID })
		if i < 0 {
			return nil, nil
		}
		d = again[i]
	}
}

// ours says whether a process, whose exe leads to a target, runs a program of this name
// that belongs to root, or to whom this one does. Anybody can call a process what they like.
func (o Options) ours(dir, target, program string) bool {
	uid, err := o.owner(filepath.Join(dir, "exe"))
	own, _ := owner("/proc/self/exe")
	return filepath.Base(strings.TrimSuffix(target, " (deleted)")) == program && (err != nil || uid == 0 || uid == own)
}

// names of the processes, as the kernel cuts them.
var names = map[string]string{"rvrrpd-spawn": roleSpawner, "rvrrpd-netproc": roleChild, "rvrrpd-read": roleReader, "rvrrpd-keeper": roleKeeper}

// Programs that start others: the one of rvrrpd -m0, and that of a daemon, whose process is
// called like the command.
const sniffer, ofParent, command = "rvrrpd-sniff", "rvrrpd-parent", "rvrrpd"

// find lists the daemons: a parent is what has a spawner, or runs the parent's
// program, or is a sniffer. The command is none: it becomes one, or starts it. A spawner
// below anything else was started by a service manager; it belongs to the
// parent that lacks one, if there is one of each, and else to nobody. What a
// spawner has started is its child, also while it is called otherwise: by the
// spawner's name before it executes its program, and then by the number of a
// descriptor until it gives itself its name. It is the reader or the keeper if its first
// argument, by which the spawner calls it, says so; if it has none yet, and there is a network
// process with its name, it is the keeper where none has its name, or else the reader. Others that are called so are strangers.
func find(o Options) (daemons []*Daemon, strangers []int, err error) {
	dirs, err := filepath.Glob(filepath.Join(o.Proc, "[0-9]*"))
	if err != nil {
		return nil, nil, err
	}
	sniffers := make(map[int]bool)
	strangers = []int{} // not null in JSON
	byParent, below := make(map[int][]*Process), make(map[int][]*Process)
	parents, called := make(map[int]bool), make(map[int]string)
	var spawners []*Process
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		lines, err := status(filepath.Join(dir, "status"))
		if err != nil || pid == os.Getpid() || strings.HasPrefix(lines["State"], "Z") {
			continue // gone, or as good as
		}
		target, hidden := os.Readlink(filepath.Join(dir, "exe"))
		if errors.Is(hidden, fs.ErrNotExist) {
			continue // it has given up its program, and ends, which may take the kernel seconds
		}
		above, _ := strconv.Atoi(lines["PPid"])
		program, role := lines["Name"], names[lines["Name"]]
		if program == command && hidden == nil && o.ours(dir, target, command) {
			called[pid] = command // of an earlier release it is a parent, if it has a spawner
			continue
		}
		if program == command {
			program = ofParent
		}
		top := program == ofParent || program == sniffer
		// One whose program is hidden is looked at, and that says why it cannot be.
		if (role == roleSpawner || top) && hidden == nil && !o.ours(dir, target, program) {
			strangers = append(strangers, pid)
			continue
		}
		called[pid] = lines["Name"]
		if role != "" {
			p := &Process{PID: pid, Role: role, parent: above}
			if byParent[above] = append(byParent[above], p); role == roleSpawner {
				spawners = append(spawners, p)
			}
		} else if top {
			sniffers[pid] = program == sniffer
			parents[pid] = hidden == nil || sniffers[pid] || runsRouters(dir)
		} else {
			below[above] = append(below[above], &Process{PID: pid, Role: roleChild, parent: above})
		}
	}
	var strays []*Process
	for _, s := range spawners {
		switch called[s.parent] {
		case command, ofParent, sniffer:
			parents[s.parent] = true
		case "rvrrpd-spawn":
			s.Role = roleChild // it has been cloned, and has not executed its program yet
		default:
			strays = append(strays, s)
		}
	}
	var without []*Daemon
	for _, pid := range slices.Sorted(maps.Keys(parents)) {
		if !parents[pid] {
			continue
		}
		d := &Daemon{PID: pid, sniffer: sniffers[pid], Processes: []*Process{{PID: pid, Role: roleParent}}}
		for _, s := range byParent[pid] {
			d.Processes = slices.Concat(d.Processes, []*Process{s}, byParent[s.PID], below[s.PID])
		}
		if daemons = append(daemons, d); len(d.Processes) == 1 {
			without = append(without, d)
		}
	}
	if len(strays) == 1 && len(without) == 1 {
		d := without[0]
		d.Activated = true
		d.Processes = slices.Concat(d.Processes, strays, byParent[strays[0].PID], below[strays[0].PID])
	}
	for _, d := range daemons {
		d.nameChildren(o, called)
	}
	return daemons, strangers, nil
}

// nameChildren finds the readers and keepers among what is called otherwise.
func (d *Daemon) nameChildren(o Options, called map[int]string) {
	named := func(name string) bool {
		return slices.ContainsFunc(d.Processes, func(p *Process) bool { return called[p.PID] == name })
	}
	for _, p := range d.Processes {
		if p.Role != roleChild || called[p.PID] == "rvrrpd-netproc" {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(o.Proc, strconv.Itoa(p.PID), "cmdline"))
		name, _, _ := strings.Cut(string(line), "\x00")
		p.cloned = called[p.PID] == "rvrrpd-spawn"
		switch other := p.cloned && named("rvrrpd-netproc"); {
		case name == "rvrrpd-keeper", other && !d.sniffer && !named("rvrrpd-keeper"):
			p.Role = roleKeeper
		case name == "rvrrpd-read", other:
			p.Role = roleReader
		}
	}
}

// runsRouters says whether a process whose program is hidden was executed as the parent.
func runsRouters(dir string) bool {
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	name, _, _ := strings.Cut(string(line), "\x00")
	return err == nil && filepath.Base(name) == ofParent
}

// examine looks at every process of a daemon.
func (d *Daemon) examine(o Options) error {
	for _, p := range d.Processes {
		if err := look(o, p, d.PID); err != nil {
			return err
		}
	}
	d.judge()
	return nil
}

// first is the first process in a role, which is the only one where all is as
// promised; nil if there is none.
func (d *Daemon) first(role string) *Process {
	for _, p := range d.Processes {
		if p.Role == role {
			return p
		}
	}
	return nil
}

// service is the user id that the parent runs as.
func (d *Daemon) service() string {
	uid, _, _ := strings.Cut(d.Processes[0].Threads[0].UIDs, " ")
	return uid
}
