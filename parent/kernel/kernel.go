// Package kernel is the only user of route netlink in the process that may change
// anything: what is asked for goes out in batches, and every acknowledgement is read.
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

// exchange sends requests in chunks and reads every acknowledgement; it
// returns all errors but those to be ignored.
func (k *Kernel) exchange(reqs []*nl.NetlinkRequest, ignore ...unix.Errno) error {
	var errs []error
	for len(reqs) > 0 {
		n := min(len(reqs), chunk)
		var out []byte
		first := k.seq + 1
		for _, r := range reqs[:n] {
			k.seq++
			r.Seq = k.seq
			out = append(out, r.Serialize()...)
		}
		if _, err := unix.Write(k.requests, out); err != nil { // to the kernel, which is nobody's address
			return errors.Join(append(errs, fmt.Errorf("netlink: %w", err))...)
		}
		if err := k.acknowledged(first, n, ignore, &errs); err != nil {
			return errors.Join(append(errs, err)...)
		}
		reqs = reqs[n:]
	}
	return errors.Join(errs...)
}

// acknowledged reads n acknowledgements, from the sequence number first on.
func (k *Kernel) acknowledged(first uint32, n int, ignore []unix.Errno, errs *[]error) error {
	for n > 0 {
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
			n--
			if errno := unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data))); errno != 0 && !slices.Contains(ignore, errno) {
				*errs = append(*errs, errno)
			}
		}
	}
	return nil
}

// Version is that of a kernel.
type Version struct{ Major, Minor int }

// MarksSince is the first kernel with IFA_PROTO.
var MarksSince = Version{5, 18}

// parseVersion reads a release as uname(2) gives it; what is none is older
// than all.
func parseVersion(release string) (v Version) {
	if n, _ := fmt.Sscanf(release, "%d.%d", &v.Major, &v.Minor); n != 2 {
		return Version{}
	}
	return v
}

// Before says whether a kernel is older than another.
func (v Version) Before(o Version) bool {
	return v.Major < o.Major || v.Major == o.Major && v.Minor < o.Minor
}

// Running is the version of this kernel.
func Running() Version {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Version{}
	}
	return parseVersion(unix.ByteSliceToString(name.Release[:]))
}

// KeepsMarks says whether the kernel remembers who added an address: by its
// version, or because a distribution has taught it.
func (k *Kernel) KeepsMarks() bool { return !Running().Before(MarksSince) || k.knows(markAttribute) }

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
