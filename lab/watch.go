package lab

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ifaLocal is IFA_LOCAL, the attribute with an address itself.
const ifaLocal = 2

// WatchRemoval waits for the kernel to report that an address is gone from
// the node and returns when that was, to microseconds; the zero time when it
// did not happen in time. Call it before the cause, and receive after it. The
// watcher spins: sleeping, it would see the report too late to tell what came
// first.
func (n *Node) WatchRemoval(ip netip.Addr, timeout time.Duration) <-chan time.Time {
	n.lab.Helper()
	f := n.socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, func(fd int) error {
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_IPV4_IFADDR - 1)})
	})
	removed := make(chan time.Time, 1)
	fd := int(f.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		n.lab.Fatalf("%s: %v", n.Name, err)
	}
	go func() {
		defer f.Close()
		buf := make([]byte, 16<<10)
		for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
			got, _, err := unix.Recvfrom(fd, buf, 0)
			if at := time.Now(); err == nil && removes(buf[:got], ip) {
				removed <- at
				return
			}
		}
		removed <- time.Time{}
	}()
	return removed
}

// removes says whether a netlink datagram reports the removal of ip.
func removes(b []byte, ip netip.Addr) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr+unix.SizeofIfAddrmsg || size > len(b) {
			return false
		}
		if binary.NativeEndian.Uint16(b[4:]) == unix.RTM_DELADDR {
			for a := b[unix.SizeofNlMsghdr+unix.SizeofIfAddrmsg : size]; len(a) >= 8; {
				length := int(binary.NativeEndian.Uint16(a))
				if binary.NativeEndian.Uint16(a[2:]) == ifaLocal && length == 8 && ipv4(a[4:]) == ip {
					return true
				}
				if length < 4 || length > len(a) {
					break
				}
				a = a[min(len(a), (length+3)&^3):]
			}
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return false
}

// CountRemovals waits for the kernel to report so many IPv4 addresses gone
// from the node, and returns when the last of them was; the zero time when
// they were not in time. Call it before the cause, and receive after it.
func (n *Node) CountRemovals(count int, timeout time.Duration) <-chan time.Time {
	n.lab.Helper()
	f := n.socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, func(fd int) error {
		return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
			unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_IPV4_IFADDR - 1)}))
	})
	gone := make(chan time.Time, 1)
	go func() {
		defer f.Close()
		_ = f.SetReadDeadline(time.Now().Add(timeout))
		buf := make([]byte, 64<<10)
		for {
			got, err := f.Read(buf)
			if err != nil {
				gone <- time.Time{}
				return
			}
			if count -= removals(buf[:got]); count <= 0 {
				gone <- time.Now()
				return
			}
		}
	}()
	return gone
}

// removals counts the removals of addresses that a netlink datagram reports.
func removals(b []byte) (n int) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			break
		}
		if binary.NativeEndian.Uint16(b[4:]) == unix.RTM_DELADDR {
			n++
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return n
}
