package logger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"golang.org/x/sys/unix"
)

// Implementation constants, ns unless said otherwise.
const (
	// startTime is how long a keeper may take until it is behind its walls, and to answer a
	// mark.
	startTime = int64(5 * time.Second)
	// againMin is the time between the death of a keeper and the next one, which doubles with
	// each death up to againMax, and begins anew after a keeper that has lived for so long.
	againMin, againMax = int64(200 * time.Millisecond), int64(10 * time.Second)
	// retry is the time between two attempts at a journal, or a lane, that has no room.
	retry = int64(10 * time.Millisecond)
	// closeTime is how long the end waits for the keeper, which waits for logs, and plainTime
	// for what nobody has written to be written plainly.
	closeTime, plainTime = int64(2500 * time.Millisecond), 300 * time.Millisecond
	// hearMax is how many messages of the keeper's are heard in one turn.
	hearMax = 64
)

const never = int64(1<<63 - 1)

// Sink adds one: a log with this name that takes lines from a level on. A descriptor of -1
// stands for the service manager's journal, which is our standard error. There are no new
// ones once a keeper writes.
func (l *Logger) Sink(s keeping.Sink, fd int) {
	s.Journal = fd < 0
	l.sinks = append(l.sinks, sink{s, fd})
}

// Redirect has a sink go on behind another descriptor. It is for any goroutine.
func (l *Logger) Redirect(name string, fd int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for i := range l.sinks {
		if s := &l.sinks[i]; s.Name == name {
			if s.fd = fd; l.begun {
				_ = l.tell(keeping.Output, s.Sink, fd) // if it does not read, the next one has it
				l.handOver()
				l.send([]byte{byte(keeping.Turn)}, waitingRoom, 1)
			}
		}
	}
}

// tell says something to the keeper itself, and hands descriptors over.
func (l *Logger) tell(kind keeping.Kind, what any, fds ...int) error {
	text, err := json.Marshal(what)
	if err == nil {
		err = unix.Sendmsg(l.keeper.Control.FD(), append([]byte{byte(kind)}, text...), unix.UnixRights(fds...), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	return err
}

// Tell says something to a keeper that has begun, and to no other. One that has no room for it
// is replaced.
func (l *Logger) Tell(kind keeping.Kind, what any, fds ...int) {
	if l.begun && l.tell(kind, what, fds...) != nil {
		_ = unix.Shutdown(l.keeper.Control.FD(), unix.SHUT_RDWR) // the next turn finds it dead
	}
}

// Server does what a keeper asks for. It is called by Turn.
type Server interface {
	// Begun hears that a keeper is to be told what there is, if there is one.
	Begun()
	// Asked does something, or says why not. ErrForeign is the keeper's fault.
	Asked(q keeping.Question) error
}

// ErrForeign is that a keeper has asked for what it can have nothing to do with.
var ErrForeign = errors.New("keeper asks for what there is not")

// Serve has what keepers ask for done by s from now on, or by nobody.
func (l *Logger) Serve(s Server) {
	if l.server = s; s != nil {
		s.Begun()
	}
}

// answer does what the keeper asks for, and answers. It asks on a lane of its own: what waits on
// the other one, for the journal, keeps no answer waiting.
func (l *Logger) answer() error {
	for range hearMax {
		n, err := l.keeper.Frames.Recv(l.heard)
		if errors.Is(err, ipc.ErrAgain) {
			return nil
		}
		var q keeping.Question
		if err == nil {
			err = json.Unmarshal(l.heard[:n], &q)
		}
		if err != nil {
			return fmt.Errorf("question: %w", err)
		}
		if err = unix.EAGAIN; l.server != nil && !l.closing && l.begun {
			err = l.server.Asked(q)
		}
		if errors.Is(err, ErrForeign) {
			return err
		}
		var reply keeping.Reply
		if err != nil {
			_ = errors.As(err, &reply.Errno)
			reply.Words = err.Error()
		}
		text, _ := json.Marshal(reply) // of our own type, which does not fail
		if err := l.keeper.Frames.Send(text); err != nil {
			return err
		}
	}
	return nil
}

// Start has a keeper started, in the place of the one there is.
func (l *Logger) Start(s *children.Spawner) (err error) {
	l.spawner = s
	_, _ = l.end()
	now := ipc.Monotonic()
	l.born, l.again = now, now+startTime
	c, err := s.Spawn(ipc.KeeperProgram)
	if err == nil {
		l.keeper = c
	}
	return err
}

// end has the keeper ended, if there is one.
func (l *Logger) end() (e children.Ending, err error) {
	l.mutex.Lock()
	c := l.keeper
	l.keeper, l.begun, l.pending = nil, false, nil
	l.mutex.Unlock()
	if c != nil {
		e, err = l.spawner.End(c)
	}
	return e, err
}

// wait waits for the keeper to say something, until an instant.
func (l *Logger) wait(until int64) error {
	said, asked := l.FDs()
	_, err := ipc.Wait([]unix.PollFd{{Fd: said, Events: unix.POLLIN}, {Fd: asked, Events: unix.POLLIN}}, max(0, time.Duration(until-ipc.Monotonic())))
	return err
}

// FDs are readable when the keeper has said something, and asked something; -1 while there is
// none, and nothing is to be heard before the journal has taken what was said last.
func (l *Logger) FDs() (said, asked int32) {
	switch {
	case l.keeper == nil:
		return -1, -1
	case len(l.pending) > 0:
		return -1, int32(l.keeper.Frames.FD())
	}
	return int32(l.keeper.Control.FD()), int32(l.keeper.Frames.FD())
}

// Due is when Turn is to be called at the latest, CLOCK_MONOTONIC in ns.
func (l *Logger) Due() int64 {
	due := never
	if len(l.pending) > 0 || l.waits() {
		due = ipc.Monotonic() + retry
	}
	if l.again > 0 {
		due = min(due, l.again)
	}
	if l.marked != nil {
		due = min(due, l.markedBy)
	}
	return due
}

// Violation is, of what Turn returns, that the network process has reported what only a
// broken one does.
type Violation string

func (v Violation) Error() string { return string(v) }

// Turn hears what the keeper says, if one of FDs is ready, and starts another one in the place of one
// that is dead. The error is a Violation, or says that there is no keeper, and has never been
// one.
func (l *Logger) Turn(now int64, ready bool) (err error) {
	if l.keeper != nil && (ready || !l.begun || len(l.pending) > 0) {
		if err = l.hear(); err == nil {
			err = l.answer()
		}
		if err == nil && !l.begun && now >= l.again {
			err = errors.New("keeper did not get ready in time")
		}
		if violation := Violation(""); err != nil && !errors.As(err, &violation) {
			err = l.bury(err)
		}
	}
	if l.marked != nil && l.written && now >= l.markedBy {
		l.unmark()
	}
	if err == nil && l.keeper == nil && l.again > 0 && now >= l.again {
		if failed := l.Start(l.spawner); failed != nil {
			err = l.bury(failed)
		}
	}
	return err
}

// hear acts on what the keeper has said. The error says that it is to be ended.
func (l *Logger) hear() error {
	if l.heard == nil {
		l.heard = make([]byte, keeping.MaxSaid)
	}
	for heard := 0; heard < hearMax && l.journal(); heard++ {
		n, err := l.keeper.Control.Recv(l.heard)
		switch {
		case errors.Is(err, ipc.ErrAgain):
			return nil
		case err != nil:
			return err
		}
		switch kind, text := keeping.Kind(l.heard[0]), l.heard[1:n]; {
		case kind == keeping.Hello && !l.begun:
			if err = l.begin(string(text)); err == nil && l.server != nil {
				l.server.Begun()
			}
		case kind == keeping.Journal && l.begun && slices.ContainsFunc(l.sinks, func(s sink) bool { return s.Journal }):
			l.pending = slices.Clone(text)
		case kind == keeping.Marked && l.begun && l.marked != nil:
			l.unmark()
		case kind == keeping.Violation && l.begun:
			return Violation(children.Plain(string(text), '?'))
		default:
			err = fmt.Errorf("message %q", byte(kind))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin tells a keeper that is behind its walls what it has to know, and hands over what it
// writes to.
func (l *Logger) begin(build string) error {
	if err := l.spawner.Verify(l.keeper, build); err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	b, fds := keeping.Beginning{Style: l.style}, []int{l.theirs}
	for _, s := range l.sinks {
		if b.Sinks = append(b.Sinks, s.Sink); s.fd >= 0 {
			fds = append(fds, s.fd)
		}
	}
	err := l.tell(keeping.Begin, b, fds...)
	for _, n := range l.names {
		err = errors.Join(err, l.tell(keeping.Naming, n))
	}
	if err == nil {
		l.begun, l.written, l.again = true, true, 0
	}
	return err
}

// journal hands the journal what it has not taken; false if it has no room.
func (l *Logger) journal() bool {
	for len(l.pending) > 0 {
		n, err := unix.SendmsgN(l.stderr, l.pending, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			l.pending = l.pending[n:]
		case unix.EAGAIN:
			return false
		default: // it is gone
			l.pending = nil
		}
	}
	return true
}

// Mark calls f once temporary sinks have got all that has been said before, and ends them; also
// if that takes too long.
func (l *Logger) Mark(f func()) {
	l.marked, l.markedBy = f, ipc.Monotonic()+startTime
	l.say(keeping.Mark, nil)
}

func (l *Logger) unmark() {
	f := l.marked
	if f == nil {
		return
	}
	l.mutex.Lock()
	l.sinks = slices.DeleteFunc(l.sinks, func(s sink) bool { return s.Temporary })
	l.mutex.Unlock()
	l.marked = nil
	f()
}

// bury deals with a keeper that has ended, is to, or could not be started. What it had not read
// yet the next one finds. The error says that none is worth trying: that of the start, which
// nobody could log.
func (l *Logger) bury(why error) error {
	struck := !l.begun
	e, err := l.end()
	l.again = 0
	switch {
	case l.closing:
		return nil
	case err != nil: // without a spawner the daemon ends, and says so
		return nil
	case struck && e.Struck() && l.struck < children.StruckTries:
		l.struck++
		return l.Start(l.spawner)
	case errors.Is(why, io.EOF), errors.Is(why, unix.EPIPE), errors.Is(why, unix.ECONNRESET):
		why = fmt.Errorf("%v: %s", e, e.Words)
	}
	if !l.written {
		return fmt.Errorf("keeper did not start: %w", why)
	}
	now := ipc.Monotonic()
	if l.after = min(max(againMin, 2*l.after), againMax); now-l.born > againMax {
		l.after = againMin
	}
	l.again = now + l.after
	l.unmark()
	log := slog.New(l)
	log.Error("keeper lost", "error", why, "again", time.Duration(l.after))
	return nil
}

// Close waits until the keeper has written all that it was told, but not for long. What it has
// not read goes to w, plainly.
func (l *Logger) Close(w io.Writer) {
	if l.closing {
		return
	}
	l.EndTurn()
	until := ipc.Monotonic() + closeTime
	for l.spoke() && (l.keeper != nil || l.again > 0) && (!l.begun || l.waits()) && ipc.Monotonic() < until {
		_ = l.wait(min(until, l.Due()))
		_ = l.Turn(ipc.Monotonic(), true)
	}
	l.closing = true
	l.lines.Close()
	for l.begun && ipc.Monotonic() < until {
		_ = l.wait(min(until, l.Due()))
		_ = l.Turn(ipc.Monotonic(), true)
	}
	_, _ = l.end()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.plain(w)
	}()
	select {
	case <-done:
	case <-time.After(plainTime): // nobody reads that either
	}
}

// plain writes what no keeper has read.
func (l *Logger) plain(w io.Writer) {
	unread, b := ipc.FromFD(l.theirs), make([]byte, keeping.MaxMessage)
	defer unread.Close()
	l.mutex.Lock()
	rest := l.waiting
	l.mutex.Unlock()
	for {
		n, err := unread.Recv(b)
		message := b[:max(n, 0)]
		if err != nil && len(rest) == 0 {
			return
		} else if err != nil {
			message, rest = rest[0], rest[1:]
		}
		var k keeping.Line
		if keeping.Kind(message[0]) != keeping.Log || json.Unmarshal(message[1:], &k) != nil {
			continue
		}
		text := fmt.Sprintf("rvrrpd: %v %s", k.Level, k.Text)
		for _, a := range k.Attrs {
			text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		fmt.Fprintln(w, text)
	}
}
