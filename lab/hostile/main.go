// Command hostile plays a compromised network process: it gets through the
// parent's verification behind real walls, waits for its configuration, and
// then attacks. Which attack is told by the VRID it is configured with. It is
// built and started by the lab's tests in the place of rvrrpd-netproc.
package main

import (
	"errors"
	"math/rand"
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/cmd/confined"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/telling"
	"github.com/rvrrpd/rvrrpd/lab/hostile/attack"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() }

func main() { os.Exit(confined.Run("rvrrpd-netproc", play)) }

// play says Hello, takes the configuration, attacks, and waits to be killed.
func play(report sandbox.Report) error {
	control := ipc.FromFD(3)
	hello := ipc.Hello{Build: ipc.Build(), Landlock: uint8(report.Landlock)}
	if err := control.Send(ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot}, hello)); err != nil {
		return err
	}
	target, err := configuration(control)
	if err != nil {
		return err
	}
	n, a := int(target.Router.VRID)-1, attack.Attack{}
	if n < len(attack.All) {
		a = attack.All[n]
	}
	target.Random = rand.New(rand.NewSource(int64(target.Router.VRID)))
	if !a.BeforeReady {
		ready := ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: target.Generation}, ipc.Ready{})
		if err := control.Send(ready); err != nil {
			return err
		}
	}
	if n >= len(attack.All) {
		attack.Calls[n-len(attack.All)].Make()
		return errors.New("a system call has come back")
	}
	datagrams := a.Datagrams(target)
	for again := true; again; again = a.Endless {
		for _, datagram := range datagrams {
			if err := send(control, datagram); err != nil {
				return err
			}
		}
	}
	for { // never answer, never leave
		if err := wait(control, unix.POLLHUP); err != nil {
			return err
		}
	}
}

// configuration reads until Commit.
func configuration(control *ipc.Conn) (t attack.Target, err error) {
	buf := make([]byte, ipc.MaxDatagram)
	for {
		n, err := control.Recv(buf)
		if errors.Is(err, ipc.ErrAgain) {
			if err := wait(control, unix.POLLIN); err != nil {
				return t, err
			}
			continue
		} else if err != nil {
			return t, err
		}
		for rest := buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				return t, err
			}
			m, err := telling.Decode(h.Type, payload)
			if err != nil {
				return t, err
			}
			switch m := m.(type) {
			case ipc.Router:
				t.Router, t.Slot, t.Generation = m, h.Slot, h.Generation
			case ipc.Secret:
				t.Keys = append(t.Keys, auth.Fingerprint(m.Value))
			case ipc.Commit:
				return t, nil
			}
		}
	}
}

// send waits for room: a flood is as fast as the parent reads.
func send(control *ipc.Conn, datagram []byte) error {
	for {
		err := control.Send(datagram)
		if !errors.Is(err, ipc.ErrAgain) {
			return err
		}
		if err := wait(control, unix.POLLOUT); err != nil {
			return err
		}
	}
}

func wait(c *ipc.Conn, events int16) error {
	_, err := ipc.Wait([]unix.PollFd{{Fd: int32(c.FD()), Events: events}}, -1)
	return err
}
