package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Kind is a VRRP implementation.
type Kind string

// The kinds the lab knows.
const (
	Rvrrpd     Kind = "rvrrpd"
	Keepalived Kind = "keepalived"
	FRR        Kind = "frr"
)

// The virtual router of the lab.
const (
	// VRID is its number.
	VRID = 10
	// Device is the macvlan that rvrrpd and keepalived make for it.
	Device = "vrrp10"
	// AdverInterval is its Advertisement_Interval unless told otherwise.
	AdverInterval = time.Second
	prefixLen     = 24
)

// VIP is its address.
var VIP = netip.MustParseAddr("10.9.0.254")

// IPv6VIPs are the addresses of an IPv6 virtual router, the link-local one
// first (RFC 9568 §5.2.9).
var IPv6VIPs = []netip.Addr{netip.MustParseAddr("fe80::9:254"), netip.MustParseAddr("2001:db8:9::254")}

// Router is the configuration of a daemon.
type Router struct {
	// User is what the network process of ours runs as; "" leaves it to the daemon.
	User     string
	Kind     Kind
	Priority int
	// NoPreempt turns off preemption.
	NoPreempt bool
	// OnInterface puts the address on eth0 itself instead of a macvlan.
	OnInterface bool
	// Version of VRRP, 2 or 3; 0 means 2.
	Version int
	// Interval is the Advertisement_Interval, in whole seconds with version 2
	// and whole centiseconds with version 3; 0 means AdverInterval.
	Interval time.Duration
	// Checksum is the form that rvrrpd sends with version 3 over IPv4, "" for
	// its default; the peers know one form only.
	Checksum string
	// Unprivileged runs rvrrpd as a service user with CAP_NET_ADMIN and
	// CAP_NET_RAW instead of root.
	Unprivileged bool
	// IPv6 makes it a virtual router with IPv6VIPs instead of VIP.
	IPv6 bool
	// Text is the configuration file, if not empty, instead of one made from
	// the rest.
	Text string
}

// VIPs are the virtual addresses.
func (r Router) VIPs() []netip.Addr {
	if r.IPv6 {
		return IPv6VIPs
	}
	return []netip.Addr{VIP}
}

// MAC is the virtual router's MAC address.
func (r Router) MAC() string {
	if r.IPv6 {
		return VirtualMAC6(VRID)
	}
	return VirtualMAC(VRID)
}

// AdverInterval is the Advertisement_Interval.
func (r Router) AdverInterval() time.Duration {
	if r.Interval == 0 {
		return AdverInterval
	}
	return r.Interval
}

// SkewTime is RFC 9568's Skew_Time, or RFC 3768's with version 2.
func (r Router) SkewTime() time.Duration {
	if r.Version == 3 {
		return time.Duration(256-r.Priority) * r.AdverInterval() / 256
	}
	return SkewTime(r.Priority)
}

// ActiveDown is RFC 9568's Active_Down_Interval, RFC 3768's
// Master_Down_Interval with version 2.
func (r Router) ActiveDown() time.Duration { return 3*r.AdverInterval() + r.SkewTime() }

// SkewTime is RFC 3768's Skew_Time.
func SkewTime(priority int) time.Duration {
	return time.Duration(256-priority) * time.Second / 256
}

// MasterDown is RFC 3768's Master_Down_Interval at AdverInterval.
func MasterDown(priority int) time.Duration { return 3*AdverInterval + SkewTime(priority) }

// Configuration is the daemon's configuration file on a node.
func (r Router) Configuration(node string) string {
	switch {
	case r.Text != "":
		return r.Text
	case r.Kind == Keepalived:
		return r.keepalived(node)
	case r.Kind == FRR:
		return r.frr()
	}
	return r.rvrrpd()
}

// prefix is a virtual address with its prefix length.
func (r Router) prefix(vip netip.Addr) string {
	if vip.Is6() {
		return vip.String() + "/64"
	}
	return fmt.Sprintf("%s/%d", vip, prefixLen)
}

func (r Router) rvrrpd() string {
	device := fmt.Sprintf("iftype = \"macvlan\"\nvifname = %q\n", Device)
	if r.OnInterface {
		device = "iftype = \"ether\"\n"
	}
	if r.Version != 0 {
		device += fmt.Sprintf("version = %d\n", r.Version)
	}
	if r.Checksum != "" {
		device += fmt.Sprintf("checksum = %q\n", r.Checksum)
	}
	var vips []string
	for _, vip := range r.VIPs() {
		vips = append(vips, fmt.Sprintf("%q", r.prefix(vip)))
	}
	top := ""
	if r.User != "" {
		top = fmt.Sprintf("user = %q\n", r.User)
	}
	return top + fmt.Sprintf(`[[vrouter]]
group = %d
interface = %q
vip = [%s]
priority = %d
preemption = %t
timers = { advert = %v }
%s`, VRID, Interface, strings.Join(vips, ", "), r.Priority, !r.NoPreempt, r.AdverInterval().Seconds(), device)
}

func (r Router) keepalived(name string) string {
	options := fmt.Sprintf("    version %d\n", max(2, r.Version))
	if r.NoPreempt {
		options += "    nopreempt\n"
	}
	if !r.OnInterface {
		options += "    use_vmac " + Device + "\n"
	}
	var vips string
	for _, vip := range r.VIPs() {
		vips += "        " + r.prefix(vip) + "\n"
	}
	return fmt.Sprintf(`global_defs {
    router_id %s
}
vrrp_instance lab {
    state BACKUP
    interface %s
    virtual_router_id %d
    priority %d
    advert_int %v
%s    virtual_ipaddress {
%s    }
}
`, name, Interface, VRID, r.Priority, r.AdverInterval().Seconds(), options, vips)
}
