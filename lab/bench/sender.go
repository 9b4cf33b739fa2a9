package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rvrrpd/rvrrpd/lab"
)

// The program is also what it measures against: executed again in a namespace
// it sends frames, with nothing around the system call that could be left out;
// or computes without end.

// Implementation constants.
const (
	sendMode = "send"
	hogMode  = "hog"
	// slot is how long frames are gathered before they are sent together.
	slot = 10 * time.Millisecond
	// batch is how many frames one system call sends at most.
	batch = 256
)

// message is struct mmsghdr of sendmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// send sends frames from a file out of an interface, in turn, so many a second;
// as many as it can with 0.
func send(device, file, rate string) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	perSecond, err := strconv.Atoi(rate)
	if err != nil {
		return err
	}
	messages, err := readFrames(file)
	if err != nil {
		return err
	}
	i, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != nil {
		return err
	}
	fmt.Println("sends")
	return sendAll(fd, messages, perSecond)
}

// sendAll never ends in order.
func sendAll(fd int, messages []message, perSecond int) error {
	wait := slot
	if perSecond > 0 {
		wait = max(slot, time.Second/time.Duration(perSecond))
	}
	began, sent := time.Now(), 0
	for {
		due := sent + batch
		if perSecond > 0 {
			due = int(int64(perSecond) * int64(time.Since(began)) / int64(time.Second))
		}
		for sent < due {
			at := sent % len(messages)
			n := min(due-sent, batch, len(messages)-at)
			got, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[at])), uintptr(n), 0, 0, 0)
			if errno != 0 && errno != unix.EINTR && errno != unix.ENOBUFS && errno != unix.ENETDOWN {
				return errno
			}
			sent += max(1, int(got))
		}
		if perSecond > 0 {
			request := unix.NsecToTimespec(int64(wait))
			unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&request)), 0, 0, 0)
		}
	}
}

// readFrames reads frames, each behind its length.
func readFrames(file string) (messages []message, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		if n == 0 || len(b) < 2+n {
			return nil, io.ErrUnexpectedEOF
		}
		vector := &unix.Iovec{Base: &b[2]}
		vector.SetLen(n)
		m := message{header: unix.Msghdr{Iov: vector}}
		m.header.SetIovlen(1)
		messages, b = append(messages, m), b[2+n:]
	}
	if len(messages) == 0 {
		return nil, errors.New("no frames")
	}
	return messages, nil
}

// writeFrames writes what readFrames reads.
func writeFrames(file string, frames [][]byte) error {
	var b []byte
	for _, f := range frames {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(f))), f...)
	}
	return os.WriteFile(file, b, 0o600)
}

// startSender has a node send frames until it is killed. Go's scheduler would interrupt its
// sleep every 10 ms to have the thread for others.
func (t *trial) startSender(n *lab.Node, device string, rate int, frames [][]byte, wrapper ...string) *lab.Process {
	file := filepath.Join(t.TempDir(), "frames")
	if err := writeFrames(file, frames); err != nil {
		t.Fatalf("%v", err)
	}
	argv := append(wrapper, "env", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", self(), sendMode, device, file, strconv.Itoa(rate))
	p := n.Launch(argv...)
	p.AwaitLine(0, 5*time.Second, "^sends$")
	return p
}

// hog computes without end.
func hog() {
	for began := time.Now(); time.Since(began) >= 0; {
	}
}

// self is this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
