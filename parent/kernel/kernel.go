// Package kernel is the only user of route netlink in the process that may change
// anything: what is asked for goes out in batches, and what fails is told of.
// It decides nothing.
package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// chunk is the number of requests in one exchange: few exchanges, and yet the
	// first announcement does not wait for the last address.
	chunk = 32
	// bufferSize is the room for acknowledgements, in bytes.
	bufferSize = 64 << 10
)

// Kernel is an open edge to the kernel. One goroutine owns it.
type Kernel struct {
	requests int // batches; blocking, with a timeout
	inet     int // for ioctl(2) alone: behind the filter no other can be made
	seq      uint32
	buf      []byte
}

// Open opens the sockets.
func Open() (*Kernel, error) {
	k := Over(-1)
	var err error
	if k.requests, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE); err == nil {
		err = errors.Join(
			unix.Bind(k.requests, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
			unix.SetsockoptInt(k.requests, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
			unix.SetsockoptTimeval(k.requests, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}))
	}
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if k.inet, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("socket for ioctl: %w", err)
	}
	return k, nil
}

// Over is one whose requests go to a socket that is open already.
func Over(requests int) *Kernel {
	return &Kernel{requests: requests, inet: -1, buf: make([]byte, bufferSize)}
}

// Port is the number that reports of what was asked for here name; 0: it is not known.
func (k *Kernel) Port() uint32 {
	if self, err := unix.Getsockname(k.requests); err == nil {
		if sa, is := self.(*unix.SockaddrNetlink); is {
			return sa.Pid
		}
	}
	return 0
}

// exchange sends requests in chunks and reads what the kernel says of them: of what fails it always
// does, of the rest only that the last one is done. It returns all errors but those to be ignored.
func (k *Kernel) exchange(reqs []*nl.NetlinkRequest, ignore ...unix.Errno) error {
	var errs []error
	for part := range slices.Chunk(reqs, chunk) {
		var out []byte
		first := k.seq + 1
		for i, r := range part {
			k.seq++
			r.Seq, r.Flags = k.seq, r.Flags&^unix.NLM_F_ACK
			if i == len(part)-1 {
				r.Flags |= unix.NLM_F_ACK
			}
			out = append(out, r.Serialize()...)
		}
		if _, err := unix.Write(k.requests, out); err != nil { // to the kernel, which is nobody's address
			return errors.Join(append(errs, fmt.Errorf("netlink: %w", err))...)
		}
		if err := k.acknowledged(first, ignore, &errs); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(errs...)
}

// acknowledged reads what is said of requests from the sequence number first on, to the last one.
func (k *Kernel) acknowledged(first uint32, ignore []unix.Errno, errs *[]error) error {
	for {
		got, _, err := unix.Recvfrom(k.requests, k.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		answers, err := syscall.ParseNetlinkMessage(k.buf[:got])
		if err != nil {
			return errors.New("netlink: malformed acknowledgement")
		}
		for _, m := range answers {
			if m.Header.Type != unix.NLMSG_ERROR || m.Header.Seq-first >= 1<<31 || len(m.Data) < 4 {
				continue // what an earlier exchange that timed out left is passed over
			}
			if errno := unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data))); errno != 0 && !slices.Contains(ignore, errno) {
				*errs = append(*errs, errno)
			}
			if m.Header.Seq == k.seq {
				return nil
			}
		}
	}
}

// KeepsMarks says whether the kernel remembers who added an address: since Linux 5.18, or where a
// distribution has taught it.
func (k *Kernel) KeepsMarks() bool { return k.knows(markAttribute) }

// knows says whether the kernel knows an attribute of addresses that is longer
// than nothing. It is asked to delete one on no interface, with an empty
// attribute: what it knows it finds malformed, before it misses the interface.
func (k *Kernel) knows(attribute int) bool {
	req := nl.NewNetlinkRequest(unix.RTM_DELADDR, unix.NLM_F_ACK)
	req.AddData(nl.NewIfAddrmsg(unix.AF_INET))
	req.AddData(nl.NewRtAttr(attribute, nil))
	err := k.exchange([]*nl.NetlinkRequest{req})
	return errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EINVAL)
}
