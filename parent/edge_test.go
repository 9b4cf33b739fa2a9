package parent

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// asked is what the kernel was asked for: a device up or down, an address on
// or off it.
type asked struct {
	kind   uint16 // RTM_...
	device int
	addr   netip.Addr
	life   uint32 // seconds, 0 if none is given
}

// edge stands for the kernel at the other end of the netlink socket. It notes
// what it is asked for, and acknowledges everything.
type edge struct {
	mu    sync.Mutex
	asked []asked
	ours  int
	done  chan struct{}
}

// newEdge makes a kernel that is recorded.
func newEdge() (*kernel.Kernel, *edge, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	e := &edge{ours: pair[0], done: make(chan struct{})}
	go e.serve(pair[1])
	return kernel.Over(pair[0]), e, nil
}

func (e *edge) note(a asked) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, a)
}

// close ends it, and returns what it has noted.
func (e *edge) close() []asked {
	unix.Close(e.ours)
	<-e.done
	return e.asked
}

func (e *edge) serve(fd int) {
	defer close(e.done)
	defer unix.Close(fd)
	b := make([]byte, 1<<18)
	for {
		n, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		var out []byte
		for m := b[:n]; len(m) >= unix.NLMSG_HDRLEN; m = m[(binary.NativeEndian.Uint32(m)+3)&^3:] {
			e.note(read(m[:binary.NativeEndian.Uint32(m)]))
			ack := make([]byte, unix.NLMSG_HDRLEN+4+unix.NLMSG_HDRLEN)
			binary.NativeEndian.PutUint32(ack, uint32(len(ack)))
			binary.NativeEndian.PutUint16(ack[4:], unix.NLMSG_ERROR)
			copy(ack[8:12], m[8:12])
			out = append(out, ack...)
		}
		if _, err := unix.Write(fd, out); err != nil {
			return
		}
	}
}

// read reads one request: a device's number stands at the same place in all.
func read(m []byte) (a asked) {
	body := m[unix.NLMSG_HDRLEN:]
	a.kind, a.device = binary.NativeEndian.Uint16(m[4:]), int(binary.NativeEndian.Uint32(body[4:]))
	if a.kind == unix.RTM_NEWADDR || a.kind == unix.RTM_DELADDR {
		for attr := body[unix.SizeofIfAddrmsg:]; len(attr) >= 4; attr = attr[min(len(attr), int(binary.NativeEndian.Uint16(attr)+3)&^3):] {
			value := attr[4:binary.NativeEndian.Uint16(attr)]
			switch binary.NativeEndian.Uint16(attr[2:]) {
			case unix.IFA_LOCAL:
				a.addr, _ = netip.AddrFromSlice(value)
			case unix.IFA_CACHEINFO:
				a.life = binary.NativeEndian.Uint32(value[4:])
			}
		}
	}
	return a
}
