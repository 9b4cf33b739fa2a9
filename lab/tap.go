package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Tap records the VRRP and ARP frames that enter the switch, each once, with
// the node they come from and the kernel's time, as they happen.
type Tap struct {
	// Record holds the frames in the order of their arrival.
	Record[Frame]
	// Others are all other frames, as they were.
	Others Record[Other]
	lab    *Lab
	ports  map[int]string
	socket *os.File
}

// Close ends the recording of the lab's own tap: what is in it stays.
func (t *Tap) Close() { t.socket.Close() }

// Other is a frame that is none of Frame's.
type Other struct {
	// Port is the name of the node it came from.
	Port string
	Data []byte
}

func newTap(l *Lab) *Tap {
	l.Helper()
	tap := &Tap{lab: l, ports: make(map[int]string)}
	f := l.Switch.socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(unix.ETH_P_ALL)), func(fd int) error {
		for _, n := range l.Nodes() {
			i, err := net.InterfaceByName(n.Name)
			if err != nil {
				return err
			}
			tap.ports[i.Index] = n.Name
		}
		return packetOptions(fd)
	})
	tap.socket = f
	fragments := pieces{}
	go receive(f, func(b []byte, index int, at time.Time) {
		port, known := tap.ports[index]
		if !known {
			return
		}
		whole, lengths := fragments.add(b)
		frame, ok := parseFrame(whole)
		if !ok {
			tap.Others.Add(Other{port, slices.Clone(b)})
			return
		}
		frame.Port, frame.Time, frame.Fragments = port, at, lengths
		tap.Add(frame)
	})
	return tap
}

// Await returns the first frame from a mark on that matches, or ends the test.
func (t *Tap) Await(mark int, timeout time.Duration, what string, match func(Frame) bool) Frame {
	t.lab.Helper()
	f, ok := t.Wait(mark, timeout, match)
	if !ok {
		t.lab.Fatalf("%s: not seen within %v\n%s", what, timeout, tail(t.From(0)))
	}
	return f
}

// tail shows the last frames for an error message.
func tail(frames []Frame) (s string) {
	for _, f := range frames[max(0, len(frames)-20):] {
		s += fmt.Sprintln("\t" + f.String())
	}
	return s
}

func htons(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// packetOptions readies a packet socket: what arrives only, with time stamps,
// and with room for bursts.
func packetOptions(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
}

// receive hands over frames until the socket is closed.
func receive(f *os.File, handle func(b []byte, index int, at time.Time)) {
	read(f, true, handle)
}

// read hands over frames until the socket is closed, or, unless it is to wait,
// until it is empty.
func read(f *os.File, wait bool, handle func(b []byte, index int, at time.Time)) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		var n, oobn int
		var from unix.Sockaddr
		var failed error
		err := conn.Read(func(fd uintptr) bool {
			n, oobn, _, from, failed = unix.Recvmsg(int(fd), buf, oob, 0)
			return !wait || failed != unix.EAGAIN
		})
		if err != nil || failed == unix.EAGAIN {
			return // closed, or empty
		}
		if failed != nil {
			continue // the port went down, or a signal came
		}
		index := 0
		if ll, ok := from.(*unix.SockaddrLinklayer); ok {
			index = ll.Ifindex
		}
		handle(buf[:n], index, arrival(oob[:oobn]))
	}
}

// arrival is the kernel's time stamp.
func arrival(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}
