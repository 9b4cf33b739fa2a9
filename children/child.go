package children

import (
	"fmt"
	"strings"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// wordsMax bounds what is told of a dead process, in bytes.
	wordsMax = 8 << 10
	// laneBuffer is the socket buffer of a lane, in bytes: enough for the
	// configuration of ten thousand virtual routers. A child that lets it fill
	// up does not read.
	laneBuffer = 16 << 20
)

// Child is our end of a process that has been started.
type Child struct {
	PID     int
	program ipc.Program
	// Control and Frames are its two lanes.
	Control, Frames *ipc.Conn
	words           int // pipe with what it wrote before it died; what finds no room there is lost
}

// Spawn has a process of a program started, of which there may be none. It is believed only
// after Verify.
func (s *Spawner) Spawn(p ipc.Program) (_ *Child, err error) {
	program, opened := s.programs[p]
	if !opened {
		return nil, fmt.Errorf("%s: not asked for at the start", ipc.Programs[p])
	}
	c := &Child{program: p}
	var ends []int // the child's
	defer func() {
		for _, fd := range ends {
			unix.Close(fd)
		}
		if err != nil {
			c.close()
		}
	}()
	for _, lane := range []**ipc.Conn{&c.Control, &c.Frames} {
		conn, end, err := ipc.Pair()
		if err != nil {
			return nil, fmt.Errorf("lane: %w", err)
		}
		*lane, ends = conn, append(ends, end)
		if err := conn.SetBuffers(laneBuffer); err != nil {
			return nil, fmt.Errorf("lane: %w", err)
		}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	c.words, ends = pipe[0], append(ends, pipe[1])
	started, err := s.ask(ipc.SpawnStart, p, pipe[1], ends[0], ends[1], program)
	if err != nil {
		return nil, err
	}
	c.PID = int(started.Number)
	return c, nil
}

// Verify holds a child against the build that it says it is of, which is not to be
// believed: it must be of ours, and behind its walls.
func (s *Spawner) Verify(c *Child, build string) error {
	name := ipc.Programs[c.program]
	if build != ipc.Build() {
		return fmt.Errorf("%s is build %q, this is %q", name, Plain(build, '?'), ipc.Build())
	}
	if _, err := s.ask(ipc.SpawnVerify, c.program); err != nil {
		return fmt.Errorf("confinement of %s: %w", name, err)
	}
	return nil
}

// Ending is how a child has ended, and what it wrote before, in one line.
type Ending struct {
	unix.WaitStatus
	Words string
}

// End has the child killed, if it lives. The error is the spawner's: the end of its lanes is what
// ends the child then.
func (s *Spawner) End(c *Child) (e Ending, err error) {
	ended, err := s.ask(ipc.SpawnEnd, c.program)
	if e.WaitStatus = unix.WaitStatus(ended.Number); err != nil {
		e.WaitStatus = unix.WaitStatus(unix.SIGKILL)
	}
	e.Words = strings.TrimSpace(lastWords(c.words))
	c.close()
	return e, err
}

// StruckTries is how many children are tried that have been struck.
const StruckTries = 5

// Struck says whether a signal that was sent to all processes has ended a child, because it
// came while Go prepared its program, before that could ignore it. Nothing but SIGKILL kills
// the first process of a namespace: Go, which has tried, ends it with this status, and without
// a word. Another child costs no more than its time.
func (e Ending) Struck() bool { return e.Exited() && e.ExitStatus() == 2 && e.Words == "" }

// close closes our ends; the child, if it lives, sees it.
func (c *Child) close() {
	for _, lane := range []*ipc.Conn{c.Control, c.Frames} {
		if lane != nil {
			lane.Close()
		}
	}
	if c.words > 0 {
		unix.Close(c.words)
	}
}

// String says how it ended.
func (e Ending) String() string {
	if e.Signaled() {
		return unix.SignalName(e.Signal())
	}
	return fmt.Sprintf("exit status %d", e.ExitStatus())
}

// lastWords reads what a dead process wrote to its standard error, which ours
// do only when they die: bounded, and without what could confuse a terminal.
func lastWords(pipe int) string {
	buf := make([]byte, wordsMax)
	n, err := unix.Read(pipe, buf)
	if err != nil {
		return ""
	}
	return Plain(string(buf[:n]), ' ')
}

// Plain is a text without what could confuse a terminal.
func Plain(text string, other rune) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r > '~') {
			return other
		}
		return r
	}, text)
}
