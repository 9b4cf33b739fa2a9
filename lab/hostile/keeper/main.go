// Command keeper plays a compromised keeper: it gets through the parent's verification behind
// real walls, waits until it has been told what there is, and then does what a plot says, and
// nothing that a keeper is for. Which plot is told by the VRID of the virtual router. It is
// built and started by the lab's tests in the place of rvrrpd-keeper.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/cmd/confined"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/ipc/rights"
	"github.com/rvrrpd/rvrrpd/lab/hostile/plot"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() }

func main() { os.Exit(confined.Run("rvrrpd-keeper", play)) }

// play says Hello, hears what it is told, and does what the plot says.
func play(sandbox.Report) error {
	h := &plot.Held{Control: ipc.FromFD(sandbox.ControlFD), Asks: ipc.FromFD(sandbox.FramesFD), Routes: -1}
	if err := h.Control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...)); err != nil {
		return err
	}
	n, err := told(h)
	if err != nil {
		return err
	}
	if n < 1 || n > len(plot.All) {
		return fmt.Errorf("there is no plot %d", n)
	}
	return plot.All[n-1].Do(h)
}

// nameTime is how long names are waited for on the control lane: what is read of the other nobody else reads.
const nameTime = 100 * time.Millisecond

// told hears the parent until it has named a virtual router, handed a socket over, and said that
// the virtual router is Active. Names come by either lane.
func told(h *plot.Held) (vrid int, err error) {
	active, lines := false, ipc.FromFD(-1)
	b, oob := make([]byte, keeping.MaxMessage), make([]byte, unix.CmsgSpace(4*(1+keeping.MaxSinks)))
	for vrid == 0 || h.Routes < 0 || !active {
		fds := []unix.PollFd{{Fd: int32(h.Control.FD()), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
		_, err := ipc.Wait(fds, nameTime)
		if err == nil && fds[0].Revents == 0 {
			if vrid == 0 {
				fds[1].Fd = int32(lines.FD())
			}
			_, err = ipc.Wait(fds, -1)
		}
		if err != nil {
			return 0, err
		}
		n, oobn := 0, 0
		if fds[0].Revents != 0 {
			n, oobn, _, _, err = unix.Recvmsg(h.Control.FD(), b, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		} else {
			n, err = lines.Recv(b)
		}
		if err != nil || n == 0 {
			return 0, fmt.Errorf("the parent says no more: %w", err)
		}
		came, err := rights.Of(oob[:oobn])
		if err != nil {
			return 0, err
		}
		switch keeping.Kind(b[0]) {
		case keeping.Naming:
			vrid, err = number(b[1:n])
		case keeping.Routes:
			var routing keeping.Routing
			h.Routes, err = came[0], json.Unmarshal(b[1:n], &routing)
			active = routing.Active
		case keeping.Begin:
			lines = ipc.FromFD(came[0])
		case keeping.Active:
			err = json.Unmarshal(b[1:n], &active)
		}
		if err != nil {
			return 0, err
		}
	}
	return vrid, nil
}

// number is the VRID of the first virtual router that is named.
func number(text []byte) (int, error) {
	var names keeping.Names
	if err := json.Unmarshal(text, &names); err != nil {
		return 0, err
	}
	for _, s := range names.Slots {
		_, rest, _ := strings.Cut(s.Name, "/")
		vrid, _, _ := strings.Cut(rest, "/")
		return strconv.Atoi(vrid)
	}
	return 0, errors.New("no virtual router is named")
}
