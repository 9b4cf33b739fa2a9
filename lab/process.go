package lab

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Line is a line a process has printed.
type Line struct {
	// Time is when it was read.
	Time time.Time
	Text string
}

// stamp is the time that a daemon of ours writes before a line.
var stamp = regexp.MustCompile(`^time=(\S+) `)

// Said is when it was written, to the millisecond, by the daemon's own clock;
// Time where it does not say.
func (l Line) Said() time.Time {
	if m := stamp.FindStringSubmatch(l.Text); m != nil {
		if at, err := time.Parse(time.RFC3339Nano, m[1]); err == nil {
			return at
		}
	}
	return l.Time
}

// Process runs in a node's namespace, in a process group of its own, and dies
// with us.
type Process struct {
	// Record holds the lines it prints, on standard output and error.
	Record[Line]
	// PID is its process number; ip(8) has replaced itself with it.
	PID  int
	name string
	lab  *Lab
	done chan struct{}
	err  error
	// ended is what the kernel said of it then.
	ended *os.ProcessState
	// prompt is closed when it has been given real time; nil where it is not to be.
	prompt chan struct{}
	// daemon and argv are the node and the command line of one of our daemons.
	daemon *Node
	argv   []string
}

// Start starts a program as of CommandLine; it is killed when the test ends.
func (n *Node) Start(argv ...string) *Process {
	n.lab.Helper()
	p := &Process{name: argv[0] + " on " + n.Name, lab: n.lab, done: make(chan struct{})}
	n.watch(p, argv)
	p.start(n.CommandLine(argv...))
	if isOurs(argv) && Busy() {
		p.prompt = make(chan struct{})
		go p.prefer()
	}
	return p
}

// Launch starts a program as it is: at the priority that it has by itself, and without
// a look at what it leaves behind. It is what a benchmark needs.
func (n *Node) Launch(argv ...string) *Process {
	n.lab.Helper()
	p := &Process{name: argv[0] + " on " + n.Name, lab: n.lab, done: make(chan struct{})}
	p.start(append([]string{"ip", "netns", "exec", n.Namespace}, argv...))
	return p
}

// CommandLine runs a program in the node's namespace, another project's daemon in real
// time where that is to be had.
func (n *Node) CommandLine(argv ...string) []string {
	command := []string{"ip", "netns", "exec", n.Namespace}
	if isPeer(argv) {
		command = append(command, inRealTime()...)
	}
	return append(command, argv...)
}

// start executes a command line, and reads what it prints until its end.
func (p *Process) start(argv []string) {
	p.lab.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		p.lab.Fatalf("%s: %v", p.name, err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		p.lab.Fatalf("%s: %v", p.name, err)
	}
	p.PID = cmd.Process.Pid
	p.lab.started.Add(p)
	p.lab.Cleanup(p.end)
	read := make(chan struct{})
	go func() { p.read(r); close(read) }()
	go func() {
		p.err = cmd.Wait()
		p.ended = cmd.ProcessState
		select { // its last words, unless a descendant keeps the pipe open
		case <-read:
		case <-time.After(time.Second):
		}
		close(p.done)
	}()
}

func (p *Process) read(r *os.File) {
	defer r.Close()
	for s := bufio.NewScanner(r); s.Scan(); {
		p.Add(Line{time.Now(), s.Text()})
	}
}

// AwaitLine returns the first line from a mark on that matches the regular
// expression, or ends the test.
func (p *Process) AwaitLine(mark int, timeout time.Duration, expression string) Line {
	p.lab.Helper()
	re := regexp.MustCompile(expression)
	line, ok := p.Wait(mark, timeout, func(l Line) bool { return re.MatchString(l.Text) })
	if !ok {
		p.lab.Fatalf("%s: no line %q within %v; it said\n%s", p.name, expression, timeout, p.Output())
	}
	p.preferred()
	return line
}

// Said says whether a line from a mark on matches the regular expression.
func (p *Process) Said(mark int, expression string) bool {
	re := regexp.MustCompile(expression)
	for _, l := range p.From(mark) {
		if re.MatchString(l.Text) {
			return true
		}
	}
	return false
}

// Output is all it has printed.
func (p *Process) Output() (s string) {
	for _, l := range p.From(0) {
		s += "\t" + l.Text + "\n"
	}
	return s
}

// Signal sends a signal to the process alone.
func (p *Process) Signal(s syscall.Signal) { unix.Kill(p.PID, s) }

// Exited is closed when it has ended.
func (p *Process) Exited() <-chan struct{} { return p.done }

// AwaitExit waits for its end and returns its exit status, negative for a
// signal; a process that goes on ends the test.
func (p *Process) AwaitExit(timeout time.Duration) int {
	p.lab.Helper()
	if !Until(timeout, p.Ended) {
		p.lab.Fatalf("%s: has not ended within %v; it said\n%s", p.name, timeout, p.Output())
	}
	if ws, ok := p.state().(syscall.WaitStatus); ok && ws.Signaled() {
		return -int(ws.Signal())
	} else if ok {
		return ws.ExitStatus()
	}
	return 0
}

// Ended says whether it has.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ProcessorTime is what it has had of a processor until its end, with those below it
// that it has waited for, and they for theirs.
func (p *Process) ProcessorTime() time.Duration { return p.ended.UserTime() + p.ended.SystemTime() }

// state is how it ended; nil for in order.
func (p *Process) state() any {
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.Sys()
	}
	return nil
}

// Terminate sends SIGTERM and waits for the end.
func (p *Process) Terminate(timeout time.Duration) int {
	p.lab.Helper()
	p.Signal(syscall.SIGTERM)
	return p.AwaitExit(timeout)
}

// Kill kills the process and all below it, hard and at once: stopped first,
// so that none sees another's death and says goodbye. It returns when they
// are gone.
func (p *Process) Kill() (at time.Time) {
	if p.Ended() {
		return time.Now()
	}
	unix.Kill(p.PID, unix.SIGSTOP)
	family := Descendants(p.PID)
	for _, pid := range family {
		unix.Kill(pid, unix.SIGSTOP)
	}
	gone := make([]func(time.Duration) bool, 0, len(family))
	for _, pid := range family {
		gone = append(gone, WatchExit(pid))
	}
	at = time.Now()
	for _, pid := range family {
		unix.Kill(pid, unix.SIGKILL)
	}
	unix.Kill(p.PID, unix.SIGKILL)
	<-p.done
	for i, wait := range gone {
		if !wait(5 * time.Second) {
			p.lab.Errorf("%s: process %d survived SIGKILL", p.name, family[i])
		}
	}
	return at
}

// KillChild kills one process below it, and returns a function that waits
// for its end.
func KillChild(pid int) (wait func(time.Duration) bool) {
	wait = WatchExit(pid)
	unix.Kill(pid, unix.SIGKILL)
	return wait
}

// WatchExit prepares to wait for the end of a process that is not our child.
func WatchExit(pid int) (wait func(time.Duration) bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return func(time.Duration) bool { return true } // gone already
	}
	return func(timeout time.Duration) bool {
		defer unix.Close(fd)
		return Until(timeout, func() bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1)
			return err == nil && n == 1
		})
	}
}
