package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// reportRoom is how much a socket of reports holds, in bytes: a takeover of a thousand
// addresses makes thousands of them.
const reportRoom = 4 << 20

// Reports hears what the kernel reports of interfaces, addresses or routes.
type Reports struct {
	FD  int // readable when there is something
	buf []byte
}

// OpenReports opens a socket of reports for multicast groups of route netlink, RTNLGRP_*.
func OpenReports(groups ...int) (r Reports, err error) {
	r.buf = make([]byte, 64<<10)
	if r.FD, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE); err == nil {
		err = errors.Join(
			unix.Bind(r.FD, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
			unix.SetsockoptInt(r.FD, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, reportRoom),
			unix.SetsockoptInt(r.FD, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1), // who asks for some gets no others
			r.join(groups...))
	}
	if err != nil {
		err = fmt.Errorf("netlink reports: %w", err)
	}
	return r, err
}

func (r *Reports) join(groups ...int) (err error) {
	for _, g := range groups {
		err = errors.Join(err, unix.SetsockoptInt(r.FD, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g))
	}
	return err
}

// Each hands on all that has been reported, datagram by datagram, which are read over
// afterwards. Lost says that there was no room for some of it.
func (r *Reports) Each(of func(datagram []byte)) (lost bool, err error) {
	for {
		n, from, err := unix.Recvfrom(r.FD, r.buf, 0)
		switch {
		case err == unix.EAGAIN:
			return lost, nil
		case err == unix.ENOBUFS:
			lost = true
		case err == unix.EINTR:
		case err != nil:
			return lost, err
		default:
			if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 {
				of(r.buf[:n])
			}
		}
	}
}
