package parent

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// addrChunk is the number of addresses in one netlink exchange: few
	// exchanges, and yet the first announcement does not wait for the last address.
	addrChunk = 32
)

// vaddr is a virtual address as it is put on a device.
type vaddr struct {
	Prefix        netip.Prefix
	NoPrefixRoute bool
	Lifetime      uint32 `json:"-"` // seconds until the kernel removes it, 0 for ever; of one message
	Host          bool   // of scope host: nothing is sent from it
	Deprecated    bool   // nothing is sent from it while another can be chosen
}

func (a vaddr) String() string { return a.Prefix.String() }

// kernel is the netlink edge, and the only user of netlink.
type kernel struct {
	requests int // batches; blocking, with a timeout
	monitor  int // reports of changes; non-blocking
	inet     int // for ioctl(2) alone: behind the filter no other can be made
	tap      func(index int, family ipc.Family) (int, error)
	marks    bool // it remembers whose an address is
	seq      uint32
	buf      []byte
	// destinations are those of our routes.
	destinations map[netip.Prefix]bool
	theirs       theirs
}

func openKernel() (*kernel, error) {
	k := &kernel{buf: make([]byte, 64<<10), tap: frames.OpenTap, theirs: theirs{changed: make(map[placed]addrMsg), lost: make(map[placed]addrMsg)}}
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
	if k.monitor, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE); err == nil {
		err = errors.Join(
			unix.Bind(k.monitor, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1)}),
			unix.SetsockoptInt(k.monitor, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20))
	}
	if err != nil {
		return nil, fmt.Errorf("netlink monitor: %w", err)
	}
	if k.inet, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("socket for ioctl: %w", err)
	}
	k.marks = k.keepsMarks()
	if self, err := unix.Getsockname(k.requests); err == nil {
		k.theirs.port = self.(*unix.SockaddrNetlink).Pid
	}
	return k, nil
}

func (k *kernel) monitorFD() int { return k.monitor }

// nameOf is the name that a device has now, "" when it is gone.
func (k *kernel) nameOf(index int) string {
	l, err := netlink.LinkByIndex(index)
	if err != nil {
		return ""
	}
	return l.Attrs().Name
}

// enslaved says whether a device has a master, a VRF perhaps.
func (k *kernel) enslaved(index int) (bool, error) {
	l, err := netlink.LinkByIndex(index)
	return err == nil && l.Attrs().MasterIndex != 0, err
}

// createMACVLAN makes a macvlan above an interface and leaves it down. Its
// mode is VEPA: like private it passes nothing on to its siblings, so that a
// broadcast costs one frame and not one for each virtual router; unlike
// private it leaves the interface the multicast frames of another Active,
// which come from the same MAC address.
func (k *kernel) createMACVLAN(lower int, name string, mac net.HardwareAddr, alias string, group uint32) (int, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr, attrs.Group = name, lower, mac, group
	l := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_VEPA}
	if err := netlink.LinkAdd(l); err != nil {
		return 0, err
	}
	if l.Index == 0 {
		return 0, errors.New("no index")
	}
	return l.Index, netlink.LinkSetAlias(l, alias) // which the kernel does not take above
}

// deleteLink deletes a device; one that is gone already is no error.
func (k *kernel) deleteLink(index int) error {
	if err := netlink.LinkDel(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete device %d: %w", index, err)
	}
	return nil
}

// deleteLinks deletes devices, several of them by a group of their own.
func (k *kernel) deleteLinks(indexes []int, group uint32) error {
	if len(indexes) < 2 {
		for _, index := range indexes {
			return k.deleteLink(index)
		}
		return nil
	}
	var reqs []*nl.NetlinkRequest
	for _, index := range indexes {
		req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index = int32(index)
		req.AddData(msg)
		req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, binary.NativeEndian.AppendUint32(nil, group)))
		reqs = append(reqs, req)
	}
	return errors.Join(k.exchange(reqs, unix.ENODEV), k.deleteGroup(group))
}

// deleteGroup deletes all devices of a group at once: a thousand in the time
// that eight take one by one. A group without any is no error.
func (k *kernel) deleteGroup(group uint32) error {
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, binary.NativeEndian.AppendUint32(nil, group)))
	if err := k.exchange([]*nl.NetlinkRequest{req}, unix.ENODEV); err != nil {
		return fmt.Errorf("delete devices of group %#x: %w", group, err)
	}
	return nil
}

// acquire sets a device up and puts addresses on it, in as few exchanges with
// the kernel as possible: this is the time a takeover takes.
func (k *kernel) acquire(dev int, own bool, addrs []vaddr) error {
	return k.acquireMany([]placement{{dev, own, addrs}})
}

// placement is what one slot wants of acquireMany. A device that is not our
// own is up already, and an address that is there already may be somebody
// else's: it is left as it is, and the next look at all of them tells.
type placement struct {
	dev   int
	own   bool
	addrs []vaddr
}

// acquireMany is acquire for many devices.
func (k *kernel) acquireMany(all []placement) error {
	var reqs []*nl.NetlinkRequest
	for _, p := range all {
		flags := unix.NLM_F_CREATE
		if p.own {
			flags |= unix.NLM_F_REPLACE
			reqs = append(reqs, upRequest(p.dev, unix.IFF_UP))
		}
		for _, a := range p.addrs {
			reqs = append(reqs, addrRequest(unix.RTM_NEWADDR, flags, p.dev, a))
		}
	}
	return k.exchange(reqs, unix.EEXIST)
}

// revive puts addresses again that are ours, for their lifetime to begin anew.
func (k *kernel) revive(dev int, own bool, addrs []vaddr, lifetime uint32) error {
	k.theirs.armed = k.theirs.armed || !own
	var reqs []*nl.NetlinkRequest
	for _, a := range addrs {
		a.Lifetime = lifetime
		again := addrRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, dev, a)
		reqs = append(reqs, again)
		if a.Prefix.Addr().Is6() && !a.NoPrefixRoute {
			reqs = append(reqs, again) // the first lifetime of an address ends the route to its prefix at once
		}
	}
	return k.exchange(reqs)
}

// goneAlready is what the kernel says of an address or a device that is not
// there to be removed.
var goneAlready = []unix.Errno{unix.EADDRNOTAVAIL, unix.ENODEV, unix.ENXIO}

// release takes addresses off a device and sets it down. What is gone
// already is no error.
func (k *kernel) release(dev int, setDown bool, addrs []vaddr) error {
	var reqs []*nl.NetlinkRequest
	for _, a := range addrs {
		reqs = append(reqs, addrRequest(unix.RTM_DELADDR, 0, dev, a))
	}
	if setDown {
		reqs = append(reqs, upRequest(dev, 0))
	}
	return k.exchange(reqs, goneAlready...)
}

func upRequest(dev int, flags uint32) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Change, msg.Flags = int32(dev), unix.IFF_UP, flags
	req.AddData(msg)
	return req
}

func addrRequest(kind, flags, dev int, a vaddr) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	family := unix.AF_INET
	if a.Prefix.Addr().Is6() {
		family = unix.AF_INET6
	}
	msg := nl.NewIfAddrmsg(family)
	msg.Index, msg.Prefixlen = uint32(dev), uint8(a.Prefix.Bits())
	if a.Host {
		msg.Scope = unix.RT_SCOPE_HOST
	}
	req.AddData(msg)
	ip := a.Prefix.Addr().AsSlice()
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, ip))
	if kind == unix.RTM_NEWADDR {
		var f uint32 = unix.IFA_F_NODAD
		if a.NoPrefixRoute {
			f |= unix.IFA_F_NOPREFIXROUTE
		}
		req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, f)))
		req.AddData(nl.NewRtAttr(facts.IFAProto, []byte{facts.Protocol}))
		if a.Host { // a kernel that knows no mark shall tell it, too
			req.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated("host:rvr0")))
		}
		if info := a.cacheInfo(); info != nil {
			req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, info))
		}
	}
	return req
}

// cacheInfo is how long an address lives, as struct ifa_cacheinfo: preferred,
// valid, and two times. Without it, for ever.
func (a vaddr) cacheInfo() []byte {
	if a.Lifetime == 0 && !a.Deprecated {
		return nil
	}
	valid := cmp.Or(a.Lifetime, math.MaxUint32) // which is for ever
	preferred := valid
	if a.Deprecated {
		preferred = 0
	}
	info := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, preferred), valid)
	return append(info, make([]byte, 8)...)
}

// exchange sends requests in chunks and reads every acknowledgement; it
// returns all errors but those to be ignored.
func (k *kernel) exchange(reqs []*nl.NetlinkRequest, ignore ...unix.Errno) error {
	var errs []error
	for len(reqs) > 0 {
		n := min(len(reqs), addrChunk)
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
func (k *kernel) acknowledged(first uint32, n int, ignore []unix.Errno, errs *[]error) error {
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
