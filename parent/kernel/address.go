package kernel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// What tells our addresses and routes from others'.
const (
	// Protocol is the number in IFA_PROTO and rtm_protocol.
	Protocol = 112
	// markAttribute is IFA_PROTO, which Linux has since 5.18.
	markAttribute = 11
)

// Address is a virtual address as it is put on a device.
type Address struct {
	Prefix        netip.Prefix
	NoPrefixRoute bool
	Lifetime      uint32 `json:"-"` // seconds until the kernel removes it, 0 for ever; of one message
	Host          bool   // of scope host: nothing is sent from it
	Deprecated    bool   // nothing is sent from it while another can be chosen
}

func (a Address) String() string { return a.Prefix.String() }

// Placement is what one slot wants of Acquire or Revive. A device that is not our
// own is up already, and an address that is there already may be somebody
// else's: it is left as it is, and the next look at all of them tells.
type Placement struct {
	Device    int
	Own       bool
	Lifetime  uint32 // of all its addresses, as in Address
	Addresses []Address
}

// Acquire sets devices up and puts addresses on them, in as few exchanges with
// the kernel as possible: this is the time a takeover takes.
func (k *Kernel) Acquire(all ...Placement) error {
	var reqs []*nl.NetlinkRequest
	for _, p := range all {
		flags := 0
		if p.Own {
			flags = unix.NLM_F_REPLACE
			reqs = append(reqs, upRequest(p.Device, unix.IFF_UP))
		}
		reqs = append(reqs, p.requests(flags)...)
	}
	return k.exchange(reqs, unix.EEXIST)
}

// Revive puts addresses again that are ours, for their lifetime to begin anew.
func (k *Kernel) Revive(p Placement) error { return k.exchange(p.requests(unix.NLM_F_REPLACE)) }

// requests put the addresses for their lifetime.
func (p Placement) requests(flags int) (reqs []*nl.NetlinkRequest) {
	for _, a := range p.Addresses {
		a.Lifetime = p.Lifetime
		put := addrRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|flags, p.Device, a)
		reqs = append(reqs, put)
		if a.Lifetime > 0 && a.Prefix.Addr().Is6() && !a.NoPrefixRoute {
			reqs = append(reqs, put) // the first lifetime of an address ends the route to its prefix at once
		}
	}
	return reqs
}

// goneAlready is what the kernel says of an address or a device that is not
// there to be removed.
var goneAlready = []unix.Errno{unix.EADDRNOTAVAIL, unix.ENODEV, unix.ENXIO}

// Release takes addresses off a device and sets it down. What is gone
// already is no error.
func (k *Kernel) Release(dev int, setDown bool, addrs []Address) error {
	var reqs []*nl.NetlinkRequest
	for _, a := range addrs {
		reqs = append(reqs, addrRequest(unix.RTM_DELADDR, 0, dev, a))
	}
	if setDown {
		reqs = append(reqs, upRequest(dev, 0))
	}
	return k.exchange(reqs, goneAlready...)
}

// Withdraw takes addresses off an interface that is not our own device, one by
// one, and says which of them were there.
func (k *Kernel) Withdraw(dev int, addrs []Address) (removed []netip.Prefix, err error) {
	var errs []error
	for _, a := range addrs {
		if a.Prefix.Addr().Is6() && !a.NoPrefixRoute {
			// With an address that has a lifetime the kernel leaves the route to its
			// prefix, for as long.
			_ = k.exchange([]*nl.NetlinkRequest{addrRequest(unix.RTM_NEWADDR, unix.NLM_F_REPLACE, dev, a)})
		}
		err := k.exchange([]*nl.NetlinkRequest{addrRequest(unix.RTM_DELADDR, 0, dev, a)})
		if err == nil {
			removed = append(removed, a.Prefix)
		} else if !slices.ContainsFunc(goneAlready, func(e unix.Errno) bool { return errors.Is(err, e) }) {
			errs = append(errs, err)
		}
	}
	return removed, errors.Join(errs...)
}

func addrRequest(kind, flags, dev int, a Address) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	ip := a.Prefix.Addr().AsSlice()
	msg := nl.NewIfAddrmsg(nl.GetIPFamily(ip))
	msg.Index, msg.Prefixlen = uint32(dev), uint8(a.Prefix.Bits())
	if a.Host {
		msg.Scope = unix.RT_SCOPE_HOST
	}
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, ip))
	if kind == unix.RTM_NEWADDR {
		var f uint32 = unix.IFA_F_NODAD
		if a.NoPrefixRoute {
			f |= unix.IFA_F_NOPREFIXROUTE
		}
		req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, f)))
		req.AddData(nl.NewRtAttr(markAttribute, []byte{Protocol}))
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
func (a Address) cacheInfo() []byte {
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

// Say sends a message about an address back to the kernel.
func (k *Kernel) Say(kind, flags int, m []byte, ignore ...unix.Errno) error {
	req := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	req.AddRawData(m)
	return k.exchange([]*nl.NetlinkRequest{req}, ignore...)
}

// SetLabelled sets the address of a label, and its mask.
func (k *Kernel) SetLabelled(label string, a Address) error {
	mask := net.CIDRMask(a.Prefix.Bits(), 32)
	for _, step := range []struct {
		request uint
		value   []byte
	}{{unix.SIOCSIFADDR, a.Prefix.Addr().AsSlice()}, {unix.SIOCSIFNETMASK, mask}} {
		r, err := unix.NewIfreq(label)
		if err == nil {
			err = r.SetInet4Addr(step.value)
		}
		if err == nil {
			err = unix.IoctlIfreq(k.inet, step.request, r)
		}
		if err != nil {
			return fmt.Errorf("%s: ioctl: %w", label, err)
		}
	}
	return nil
}
