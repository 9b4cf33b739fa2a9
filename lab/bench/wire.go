package main

import (
	"encoding/binary"
	"net"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rvrrpd/rvrrpd/lab"
)

// wire records what arrives at interfaces. Nobody reads it while something is
// measured: the kernel stamps each frame and keeps it, and wakes no process
// that would want a processor.
type wire struct {
	*lab.Stage
	sockets []int
	records []record
}

// Implementation constants.
const (
	// room is for all frames of a window: each takes about 1 KiB of it.
	room = 800 << 20
	// look is how often the wire is read while something is waited for.
	look = 25 * time.Millisecond
)

// add records at an interface of a node from now on, and returns its number.
func (w *wire) add(n *lab.Node, device string) (port uint8) {
	fd := -1
	err := n.Do(func() (err error) {
		fd, err = tapOn(device)
		return err
	})
	if err != nil {
		w.Fatalf("tap on %s: %v", device, err)
	}
	w.Cleanup(func() { unix.Close(fd) })
	w.sockets = append(w.sockets, fd)
	return uint8(len(w.sockets) - 1)
}

// tapOn opens a socket for what arrives at an interface of this namespace.
func tapOn(device string) (fd int, err error) {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return -1, err
	}
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// read takes what has arrived.
func (w *wire) read() []record {
	began := len(w.records)
	buf, oob := make([]byte, 2048), make([]byte, 128)
	for port, fd := range w.sockets {
		for {
			n, oobn, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_DONTWAIT)
			if err == unix.EAGAIN {
				break
			}
			if err != nil {
				continue // the port went down, or a signal came
			}
			if r, ok := parse(buf[:n]); ok {
				r.port, r.at = uint8(port), arrival(oob[:oobn])
				w.records = append(w.records, r)
			}
		}
		if s, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil && s.Drops > 0 {
			w.Fatalf("the wire had no room for %d frames", s.Drops)
		}
	}
	slices.SortStableFunc(w.records[began:], func(a, b record) int { return int(a.at - b.at) })
	return w.records
}

// arrival is the kernel's time stamp, the first of the control messages.
func arrival(oob []byte) int64 {
	const header = unix.SizeofCmsghdr
	if len(oob) < header+16 {
		return time.Now().UnixNano()
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SO_TIMESTAMPNS {
		return time.Now().UnixNano()
	}
	seconds, nanos := binary.NativeEndian.Uint64(oob[header:]), binary.NativeEndian.Uint64(oob[header+8:])
	return time.Unix(int64(seconds), int64(nanos)).UnixNano()
}

// forget drops all that was recorded.
func (w *wire) forget() {
	w.read()
	w.records = nil
}

// await reads until the condition holds, or ends the measurement.
func (w *wire) await(timeout time.Duration, what string, done func([]record) bool) {
	for end := time.Now().Add(timeout); !done(w.read()); time.Sleep(look) {
		if time.Now().After(end) {
			w.Fatalf("%s: not within %v", what, timeout)
		}
	}
}

// awaitAll waits until so many virtual routers were advertised on the ports.
func (w *wire) awaitAll(timeout time.Duration, what string, count int, ports ...uint8) {
	seen := 0
	for end := time.Now().Add(timeout); ; time.Sleep(look) {
		if seen = len(firsts(of(w.read(), advert, ports...))); seen >= count {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("%s: %d of %d virtual routers are advertised within %v", what, seen, count, timeout)
		}
	}
}
