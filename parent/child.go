package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// startTime is how long a child may take from its start to Ready.
	startTime = int64(5 * time.Second)
	// stopTime is how long it may take to hand over its slots and end.
	stopTime = int64(time.Second)
	// wordsMax bounds what is logged of a dead child, in bytes.
	wordsMax = 8 << 10
	// laneBuffer is the socket buffer of a lane, in bytes: enough for the
	// configuration of ten thousand virtual routers. A child that lets it fill
	// up does not read.
	laneBuffer = 16 << 20
)

// childName is the program of the network process.
const childName = "rvrrpd-netproc"

// programDir is where a program of ours is looked for that is not beside our
// own; never through PATH.
const programDir = "/usr/libexec/rvrrpd"

// child is the running network process; nil stands for none.
type child struct {
	pid      int
	control  *ipc.Conn
	frames   *ipc.Conn
	words    int // pipe with what it wrote before it died; what finds no room there is lost
	phase    ipc.Phase
	told     bool  // a configuration, and has not said Ready
	deadline int64 // by which the phase must have ended; never in PhaseRun
}

// configured says whether the child takes links and frames.
func (c *child) configured() bool { return c != nil && c.phase != ipc.PhaseHello }

// ProgramPath is where a program of ours is: beside our own, or else in
// programDir, whether it is there or not. The error is that of os.Executable.
func ProgramPath(name string) (string, error) {
	own, err := os.Executable()
	path := filepath.Join(filepath.Dir(own), name)
	if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
		path = filepath.Join(programDir, name)
	}
	return path, err
}

// openProgram opens a program of ours without reading it, after a look at who
// could have changed it.
func openProgram(name string) (int, error) {
	path, err := ProgramPath(name)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	if err := ownFile(fd, math.MaxInt64); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}

// spawn has the spawner start a child. It is believed only after verify.
func (d *daemon) spawn() (err error) {
	c := &child{phase: ipc.PhaseHello, deadline: d.now + startTime}
	var ends []int // the child's ends
	defer func() {
		for _, fd := range ends {
			unix.Close(fd)
		}
		if err != nil {
			c.close()
		}
	}()
	for _, lane := range []**ipc.Conn{&c.control, &c.frames} {
		conn, end, err := ipc.Pair()
		if err != nil {
			return fmt.Errorf("lane: %w", err)
		}
		*lane, ends = conn, append(ends, end)
		if err := conn.SetBuffers(laneBuffer); err != nil {
			return fmt.Errorf("lane: %w", err)
		}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	c.words, ends = pipe[0], append(ends, pipe[1])
	started, err := d.spawner.ask(ipc.SpawnStart, pipe[1], ends[0], ends[1], d.program)
	if err != nil {
		return err
	}
	c.pid = int(started.Number)
	d.child = c
	return nil
}

// close closes the parent's ends; the child, if it lives, sees it.
func (c *child) close() {
	for _, lane := range []*ipc.Conn{c.control, c.frames} {
		if lane != nil {
			lane.Close()
		}
	}
	if c.words > 0 {
		unix.Close(c.words)
	}
}

// end has the child killed and says how it ended.
func (d *daemon) end() unix.WaitStatus {
	ended, err := d.spawner.ask(ipc.SpawnEnd)
	status := unix.WaitStatus(ended.Number)
	if err != nil { // and the child with it
		d.log.Error("network process lost", "error", err)
		status = unix.WaitStatus(unix.SIGKILL)
	}
	if words := strings.TrimSpace(printable(d.child.words)); words != "" {
		d.log.Error("network process says", "words", words) // one line, however many it makes of them
	}
	d.child.close()
	d.child = nil
	return status
}

// printable reads what a dead process wrote to its standard error, which ours
// do only when they die: bounded, and without what could confuse a terminal.
func printable(words int) string {
	buf := make([]byte, wordsMax)
	n, err := unix.Read(words, buf)
	if err != nil {
		return ""
	}
	return plain(string(buf[:n]), ' ')
}

// unfit is what is wrong with a child that has been told nothing yet: another
// program may be there the next time.
type unfit struct{ error }

// greet answers the child's Hello: same build, verified walls, and then the
// configuration.
func (d *daemon) greet(hello ipc.Hello) error {
	if hello.Build != ipc.Build() {
		return unfit{fmt.Errorf("%s is build %q, this is %q", childName, hello.Build, ipc.Build())}
	}
	if _, err := d.spawner.ask(ipc.SpawnVerify); err != nil {
		return unfit{fmt.Errorf("confinement of the network process: %w", err)}
	}
	d.log.Info("network process confined", "pid", d.child.pid, "landlock", hello.Landlock)
	d.child.phase = ipc.PhaseConfigure
	d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Hello{Build: ipc.Build()})
	if d.sniff != nil {
		d.send(ipc.Header{Slot: ipc.NoSlot}, *d.sniff)
	}
	d.configure()
	return nil
}

// configure tells the child the configuration; a fresh one also what is held.
func (d *daemon) configure() {
	routers := uint16(0)
	for _, s := range present(d.slots) {
		r := s.record()
		r.Ownership = s.ownership
		r.StartupDelay = int64(s.start.left(s.delays[1], d.child.phase == ipc.PhaseConfigure, d.now))
		d.send(ipc.Header{Slot: s.slot}, r)
		d.confide(s)
		if s.held && d.child.phase == ipc.PhaseConfigure {
			d.send(ipc.Header{Slot: s.slot}, ipc.Restore{})
		}
		routers++
	}
	for _, l := range d.links {
		d.send(ipc.Header{Slot: ipc.NoSlot}, l.told)
	}
	d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Commit{Routers: routers})
	d.child.told = true
}

// send puts a message on the control lane; it travels with the turn's batch.
// A child that has not said Hello hears nothing: it will be told everything.
func (d *daemon) send(h ipc.Header, m ipc.Message) {
	if !d.child.configured() {
		return
	}
	h.Generation = d.generation
	d.outgoing.Add(h, m)
}

// answer answers a request.
func (d *daemon) answer(h ipc.Header, request ipc.Type, code ipc.Code) {
	d.send(ipc.Header{Slot: h.Slot, Sequence: h.Sequence}, ipc.Result{Request: request, Code: code})
}
