// Package keeper is the keeper: the process that writes the log, and follows the static
// routes. It has no capability, no file system and no network of its own, and holds what it was
// handed: the files that it writes to, and sockets by which the kernel tells it what is there.
package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/ipc/rights"
	"github.com/rvrrpd/rvrrpd/keeper/logs"
	"github.com/rvrrpd/rvrrpd/keeper/routes"
	"golang.org/x/sys/unix"
)

// keeper is the state of the process, owned by the goroutine of Run.
type keeper struct {
	control *ipc.Conn
	asks    *ipc.Conn // where we ask, and are answered
	lines   *ipc.Conn
	log     *logs.Log
	reports *reports
	routing routing
	failed  error // of what was to be asked
	buf     []byte
}

// Run is the keeper's life: it ends when the parent closes the lane of lines, and all that
// came by it is written.
func Run(control, asks *ipc.Conn) error {
	k := &keeper{control: control, asks: asks, buf: make([]byte, keeping.MaxMessage)}
	if err := k.say(keeping.Hello, []byte(ipc.Build())); err != nil {
		return err
	}
	for {
		if err := k.wait(); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		err := k.command()
		if err == nil && k.lines != nil {
			err = k.hear()
		}
		if err == nil && k.log != nil {
			err = k.route()
		}
		if errors.Is(err, io.EOF) {
			if k.log != nil {
				k.log.Flush()
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// wait waits until something has been said, or is due.
func (k *keeper) wait() error {
	fds := []unix.PollFd{{Fd: int32(k.control.FD()), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
	if k.lines != nil {
		fds[1].Fd = int32(k.lines.FD())
	}
	if k.routing.kernel != nil {
		fds[2].Fd = int32(k.routing.kernel.FD())
	}
	_, err := ipc.Wait(fds, k.routing.left())
	return err
}

// say sends a message, and waits for room.
func (k *keeper) say(kind keeping.Kind, payload []byte) error {
	message := append([]byte{byte(kind)}, payload...)
	for {
		err := k.control.Send(message)
		if !errors.Is(err, ipc.ErrAgain) {
			return err
		}
		if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(k.control.FD()), Events: unix.POLLOUT}}, time.Second); err != nil {
			return err
		}
	}
}

// command acts on what the parent says on the control lane.
func (k *keeper) command() error {
	oob := make([]byte, unix.CmsgSpace(4*(1+keeping.MaxSinks)))
	for {
		n, oobn, flags, _, err := unix.Recvmsg(k.control.FD(), k.buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("control lane: %w", err)
		case n == 0:
			return io.EOF
		case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
			return fmt.Errorf("control lane: %w", ipc.ErrTruncated)
		}
		fds, err := rights.Of(oob[:oobn])
		if err != nil {
			return err
		}
		if err := k.commanded(keeping.Kind(k.buf[0]), k.buf[1:n], fds); err != nil {
			return err
		}
	}
}

func (k *keeper) commanded(kind keeping.Kind, payload []byte, fds []int) error {
	switch {
	case kind == keeping.Begin && k.log == nil:
		var b keeping.Beginning
		if err := decode(payload, &b); err != nil {
			return err
		}
		return k.begin(b, fds)
	case kind == keeping.Naming && k.log != nil && len(fds) == 0:
		return k.name(payload)
	case kind == keeping.Output && k.log != nil && len(fds) == 1:
		var s keeping.Sink
		if err := decode(payload, &s); err != nil {
			return err
		}
		k.log.Redirect(s.Name, descriptor(fds[0]))
		return nil
	case kind == keeping.Routes && k.log != nil:
		return k.routing.told(payload, fds)
	case kind == keeping.Active && k.log != nil && len(fds) == 0:
		return decode(payload, &k.routing.active)
	}
	return fmt.Errorf("control lane: message %q with %d descriptors", byte(kind), len(fds))
}

// begin opens the log.
func (k *keeper) begin(b keeping.Beginning, fds []int) error {
	var to []io.WriteCloser
	next := fds
	for _, s := range b.Sinks {
		switch {
		case s.Journal:
			to = append(to, journal{k})
		case len(next) < 2:
			return fmt.Errorf("%d descriptors for %d sinks", len(fds), len(b.Sinks))
		default:
			to, next = append(to, descriptor(next[1])), next[1:]
		}
	}
	if len(next) != 1 {
		return fmt.Errorf("%d descriptors for %d sinks", len(fds), len(b.Sinks))
	}
	k.lines, k.log = ipc.FromFD(fds[0]), logs.New(b, to)
	k.reports = newReports(k.log.Handler())
	k.routing.follower = routes.New(k, slog.New(k.log.Handler()))
	return nil
}

// hearMax is how many messages are heard before routes have their turn.
const hearMax = 256

// hear acts on what comes by the lane of lines, as far as it has come and a turn has room for
// it.
func (k *keeper) hear() error {
	for range hearMax {
		n, err := k.lines.Recv(k.buf)
		switch {
		case errors.Is(err, ipc.ErrAgain):
			return nil
		case err != nil:
			return err
		}
		if err := k.heard(keeping.Kind(k.buf[0]), k.buf[1:n]); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) heard(kind keeping.Kind, payload []byte) error {
	switch kind {
	case keeping.Log:
		var l keeping.Line
		err := decode(payload, &l)
		if err == nil {
			k.log.Write(l)
		}
		return err
	case keeping.Restyle:
		var s keeping.Style
		err := decode(payload, &s)
		if err == nil {
			k.log.Restyle(s)
		}
		return err
	case keeping.Turn:
		return k.command()
	case keeping.Naming:
		return k.name(payload)
	case keeping.Report:
		if err := k.reports.hear(payload, k.log.Shift); err != nil {
			return k.say(keeping.Violation, []byte(err.Error()))
		}
		return nil
	case keeping.Lost:
		var n int
		err := decode(payload, &n)
		if err == nil {
			k.log.Lost(n)
		}
		return err
	case keeping.Mark:
		k.log.Mark(func() { _ = k.say(keeping.Marked, nil) })
		return nil
	}
	return fmt.Errorf("lane of lines: message %q", byte(kind))
}

// name takes over what reports are about.
func (k *keeper) name(payload []byte) error {
	var n keeping.Names
	err := decode(payload, &n)
	if err == nil {
		k.reports.name(n)
	}
	return err
}

// decode reads JSON; numbers stay as they are.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// descriptor is what was handed over to be written to. A write waits, in a thread of its own.
type descriptor int

func (d descriptor) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, err := unix.Write(int(d), b[done:])
		done += max(0, n)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN: // somebody else has made it so
			time.Sleep(10 * time.Millisecond)
		case err != nil || done == len(b):
			return done, err
		}
	}
}

func (d descriptor) Close() error { return unix.Close(int(d)) }

// journal has the parent write lines for the service manager's.
type journal struct{ k *keeper }

func (j journal) Write(b []byte) (int, error) { return len(b), j.k.say(keeping.Journal, b) }

func (j journal) Close() error { return nil }
