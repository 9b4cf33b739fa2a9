package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Daemon is a VRRP daemon on a node.
type Daemon struct {
	*Process
	Node   *Node
	Router Router
	argv   []string
}

// Run writes a configuration and starts the daemon with it.
func (n *Node) Run(r Router) *Daemon {
	n.lab.Helper()
	d := &Daemon{Node: n, Router: r}
	if r.Kind == FRR {
		d.argv = n.startFRR(r)
	} else {
		d.argv = n.prepare(r)
	}
	d.Process = n.Start(d.argv...)
	return d
}

// prepare writes the configuration file and returns the command line.
func (n *Node) prepare(r Router) (argv []string) {
	n.lab.Helper()
	dir := n.lab.TempDir()
	file := filepath.Join(dir, "conf")
	text := r.Configuration(n.Name)
	if r.Kind == Rvrrpd && !strings.Contains(text, "state_dir") { // what it learns is nothing to other tests
		state := filepath.Join(dir, "state")
		if err := os.Mkdir(state, 0o700); err != nil {
			n.lab.Fatalf("%v", err)
		}
		text = fmt.Sprintf("state_dir = %q\n", state) + text
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.lab.Fatalf("%v", err)
	}
	if r.Kind == Keepalived {
		return []string{"keepalived", "-n", "-l", "-D", "-G", "-P", "-f", file,
			"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"), "-c", filepath.Join(dir, "check.pid")}
	}
	argv = []string{Binary("rvrrpd"), "-m1", "-c", file}
	if r.Unprivileged {
		return n.AsService(dir, argv)
	}
	return argv
}

// ServiceUser is the user id of an unprivileged daemon.
const ServiceUser = 61234

// AsService wraps a command line as the unit of a service user does: with two
// capabilities and a runtime directory. What is in the directory becomes its.
func (n *Node) AsService(dir string, argv []string) []string {
	n.lab.Helper()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // testing's
		n.lab.Fatalf("%v", err)
	}
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		n.lab.Fatalf("%v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		n.lab.Fatalf("%v", err)
	}
	for _, e := range entries {
		if err := os.Chown(filepath.Join(dir, e.Name()), ServiceUser, ServiceUser); err != nil {
			n.lab.Fatalf("%v", err)
		}
	}
	user, caps := strconv.Itoa(ServiceUser), "+net_admin,+net_raw"
	return append([]string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps", "-all," + caps,
		"--ambient-caps", "-all," + caps, "--bounding-set", "-all," + caps, "env", "RUNTIME_DIRECTORY=" + run}, argv...)
}

// Again starts the daemon again, with the same configuration.
func (d *Daemon) Again() *Daemon {
	d.Node.lab.Helper()
	// keepalived takes the process number of a killed daemon for one that
	// lives as long as nobody has asked for its exit status.
	if d.Router.Kind == Keepalived {
		for i, arg := range d.argv[:len(d.argv)-1] {
			if arg == "-p" || arg == "-r" || arg == "-c" {
				os.Remove(d.argv[i+1])
			}
		}
	}
	again := *d
	again.Process = d.Node.Start(d.argv...)
	return &again
}

// Command is the command line of the daemon.
func (d *Daemon) Command() string { return strings.Join(d.argv, " ") }

// Child is the process number of the daemon's only network process, which
// keepalived and FRR have none of; it ends the test
// when there is none, or another one.
func (d *Daemon) Child() int {
	d.Node.lab.Helper()
	pids := Children(d.PID)
	if len(pids) != 1 {
		d.Node.lab.Fatalf("%s has %d children, not 1; it said\n%s", d.name, len(pids), d.Output())
	}
	return pids[0]
}

// words are the regular expressions of a daemon's log lines.
var words = map[Kind]struct{ backup, active, left string }{
	Rvrrpd:     {`"?initialize->backup"? `, `(backup|initialize)->active"? `, `active->backup"? `},
	FRR:        {`Initialize -> Backup`, `(Backup|Initialize) -> Master`, `Master -> Backup`},
	Keepalived: {`Entering BACKUP STATE`, `Entering MASTER STATE`, `Entering BACKUP STATE`},
}

// AwaitBackup waits until the daemon says that it has started as Backup.
func (d *Daemon) AwaitBackup() Line {
	d.Node.lab.Helper()
	return d.AwaitLine(0, 5*time.Second, words[d.Router.Kind].backup)
}

// AwaitActive waits until the daemon says that it has become Active.
func (d *Daemon) AwaitActive(mark int) Line {
	d.Node.lab.Helper()
	return d.AwaitLine(mark, d.Router.ActiveDown()+5*time.Second, words[d.Router.Kind].active)
}

// AwaitStepBack waits until the daemon says that it has become Backup again.
func (d *Daemon) AwaitStepBack(mark int) Line {
	d.Node.lab.Helper()
	return d.AwaitLine(mark, 5*time.Second, words[d.Router.Kind].left)
}

// SteppedBack says whether the daemon has left the Active state since a mark.
func (d *Daemon) SteppedBack(mark int) bool { return d.Said(mark, words[d.Router.Kind].left) }

// TurnedActive says whether the daemon has become Active since a mark.
func (d *Daemon) TurnedActive(mark int) bool { return d.Said(mark, words[d.Router.Kind].active) }

// Root is the directory of the sources.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	if dir := filepath.Dir(filepath.Dir(file)); filepath.IsAbs(dir) {
		return dir
	}
	return "." // built with -trimpath, and run from the sources
}

// Prebuilt is a directory with programs that were built for another machine, to
// be tested there; "" for none. Besides ours there are attempt, of the sandbox's
// tests, and another release in next.
func Prebuilt() string { return os.Getenv("RVRRPD_LAB_PREBUILT") }

// binaries is where programs are found; "" stands for where make build puts them.
var binaries = Prebuilt()

// Binary is the path of a program of ours.
func Binary(name string) string {
	if binaries != "" {
		return filepath.Join(binaries, name)
	}
	path, err := filepath.Abs(filepath.Join(Root(), "bin", name))
	if err != nil {
		return name
	}
	return path
}

// Programs are all of ours; the first is what operators run.
var Programs = []string{"rvrrpd", "rvrrpd-parent", "rvrrpd-spawn", "rvrrpd-netproc", "rvrrpd-read", "rvrrpd-keeper", "rvrrpd-audit", "rvrrpd-check", "rvrrpd-sniff"}

// Install copies the programs that were built to where every user can execute
// them: the sources may be in a directory that root alone can enter. The
// function that it returns removes them.
func Install() (remove func(), err error) {
	dir, err := os.MkdirTemp("/run", "rvrrpd-lab-bin-")
	if err != nil {
		return nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	if err := os.Chmod(dir, 0o755); err != nil {
		return remove, err
	}
	for _, name := range Programs {
		text, err := os.ReadFile(Binary(name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o755)
		}
		if err != nil {
			return remove, err
		}
	}
	binaries = dir
	return remove, nil
}
