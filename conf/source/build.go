package source

import (
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
)

// config checks the whole document and assembles what is valid in it. The
// result counts only when no error was found.
func (r *reader) config(root *node) *conf.Config {
	top := r.table(root, "", "")
	c := &conf.Config{
		Debug:      int(top.number("debug")),
		TimeZone:   top.text("time_zone"),
		TimeFormat: top.text("time_format"),
		LogFormat:  top.text("log_format"),
		PIDFile:    top.text("pid"),
		WorkingDir: top.text("working_dir"),
		MainLog:    top.text("main_log"),
		ErrorLog:   top.text("error_log"),
		User:       top.text("user"),
		Lease:      top.text("lease"),
		StateDir:   top.text("state_dir"), InsecureSecrets: top.flag("insecure_secrets"),
	}
	for _, s := range top.below("protocols").tables["static"] {
		if route, ok := r.route(s); ok {
			c.Routes = append(c.Routes, route)
		}
	}
	routers := top.tables["vrouter"]
	b := &builder{reader: r, ids: map[routerID]place{}, macs: map[string]place{}, addresses: map[addressID]place{}, anywhere: map[netip.Addr]place{}}
	for _, s := range routers {
		c.Routers = append(c.Routers, b.router(s))
	}
	b.devices(routers, c.Routers)
	for i, v := range c.Routers {
		if n := top.values["lease"]; n != nil && c.Lease == "lifetime" && v.AdverInterval < time.Second {
			r.fail(n.line, "lease", "%s cannot serve %s, whose interval is below a second; accepted: \"auto\", \"nftables\", \"off\"", n.shown(), routers[i].label)
		}
	}
	return c
}

// builder assembles routers and remembers what each has taken.
type builder struct {
	*reader
	ids       map[routerID]place
	macs      map[string]place // by interface
	addresses map[addressID]place
	anywhere  map[netip.Addr]place // but for link-local ones of IPv6
}

// addressID is what makes an address unique on a machine: it may be on each
// interface once.
type addressID struct {
	addr   netip.Addr
	device string
}

// routerID is what makes a virtual router unique on a machine.
type routerID struct {
	device string
	ipv6   bool
	vrid   int64
}

// place is where something was taken first.
type place struct {
	label string
	line  int
}

// router assembles one virtual router.
func (b *builder) router(s *section) conf.Router {
	v := conf.Router{
		VRID:          uint8(s.number("group")),
		Interface:     s.text("interface"),
		Priority:      uint8(s.number("priority")),
		PreemptMode:   s.flag("preemption"),
		AcceptMode:    s.flag("accept_mode"),
		Checksum:      conf.Checksum(s.text("checksum")),
		AdverInterval: time.Second,
		InterfaceType: conf.InterfaceType(s.text("iftype")),
		SocketFilter:  s.flag("socket_filter"),
	}
	if n := s.values["owner"]; n != nil && n.kind == booleanKind {
		if v.Owner = conf.OwnerFalse; n.boolean {
			v.Owner = conf.OwnerTrue
		}
	}
	if s.flag("strict") {
		strict(&v, s)
	}
	var ipv6 bool
	v.Addresses, v.DerivedLinkLocal, ipv6 = b.vip(s)
	b.version(s, &v, ipv6)
	if n := s.below("timers").values["advert"]; n != nil {
		v.AdverInterval = b.advert(n, join(s.below("timers").label, "advert"), &v)
	}
	b.delays(s, &v)
	b.announcements(s, &v, ipv6)
	b.auth(s, &v)
	b.etherMAC(s, &v)
	b.ioctl(s, &v)
	b.unique(s, ipv6)
	if name := s.values["vifname"]; name != nil && v.InterfaceType != conf.MACVLAN && !s.invalid("iftype") {
		b.warn(name, join(s.label, "vifname"), `has no effect with iftype = "ether": the addresses have no interface of their own`)
	}
	return v
}

// strict sets the defaults of RFC 9568 §6.1 and §7.3 for what the file does
// not give.
func strict(v *conf.Router, s *section) {
	if !s.given["accept_mode"] {
		v.AcceptMode = false
	}
	if !s.given["preemption"] {
		v.PreemptMode = true
	}
	if !s.given["iftype"] {
		v.InterfaceType = conf.MACVLAN
	}
}

// version reads the version of a virtual router, whose default hangs on the
// family, and what else hangs on both.
func (b *builder) version(s *section, v *conf.Router, ipv6 bool) {
	if v.Version = 2; ipv6 {
		v.Version = 3
	}
	n := s.values["version"]
	switch {
	case n == nil:
	case n.literal() != "3" && ipv6:
		b.fail(n.line, join(s.label, "version"), "%s has no meaning with IPv6 addresses; accepted: 3", n.shown())
	case n.kind == stringKind:
		v.Version, v.Migration = 3, true
	default:
		v.Version = uint8(n.integer)
	}
	if ipv6 || v.Version == 2 {
		v.Checksum = conf.RFC9568
	}
	n = s.values["checksum"]
	switch {
	case n == nil:
	case ipv6:
		b.fail(n.line, join(s.label, "checksum"), "has no meaning with IPv6 addresses, where it always covers the pseudo-header; accepted: checksum with IPv4 addresses and version = 3")
	case v.Version == 2:
		b.fail(n.line, join(s.label, "checksum"), "has no meaning with version = 2; accepted: checksum with version = 3")
	}
}

// advert reads the Advertisement_Interval, whose range hangs on the version.
func (b *builder) advert(n *node, label string, v *conf.Router) time.Duration {
	d, _ := hundredths(n)
	low, high, step, accepted := int64(minAdvert), int64(maxAdvert), int64(100), "1..255 in whole seconds, with version = 2"
	if v.Version == 3 {
		low, high, step, accepted = minAdvert3, maxAdvert3, 1, "0.01..40.95, with version = 3"
	}
	switch {
	case d < low || d > high:
		b.fail(n.line, label, "%s is out of range; accepted: %s", shorten(n.text), accepted)
	case d%step != 0:
		b.fail(n.line, label, "%s is not a whole number; accepted: %s", shorten(n.text), accepted)
	}
	return time.Duration(d) * 10 * time.Millisecond
}

// delays reads preempt_delay and startup_delay.
func (b *builder) delays(s *section, v *conf.Router) {
	read := func(key string) (time.Duration, *node) {
		n := s.values[key]
		if n == nil {
			return 0, nil
		}
		d, _ := hundredths(n)
		if d > maxDelay {
			b.fail(n.line, join(s.label, key), "%s is out of range; accepted: %s", shorten(n.text), acceptedDelay)
		}
		return time.Duration(d) * 10 * time.Millisecond, n
	}
	v.StartupDelay, _ = read("startup_delay")
	v.LinkUpDelay, _ = read("link_up_delay")
	var n *node
	v.PreemptDelay, n = read("preempt_delay")
	switch {
	case v.PreemptDelay == 0:
	case v.Priority == ownerPriority:
		b.fail(n.line, join(s.label, "preempt_delay"), "%s has no meaning with priority = 255, for the owner of the addresses takes over at once; accepted: 0", n.text)
	case !v.PreemptMode && !s.invalid("preemption"):
		b.fail(n.line, join(s.label, "preempt_delay"), "%s has no meaning with preemption = false; accepted: 0, or preemption = true", n.text)
	}
}

// etherMAC reads ether_mac: an interface has one hardware address.
func (b *builder) etherMAC(s *section, v *conf.Router) {
	n := s.values["ether_mac"]
	if n == nil || !n.boolean {
		return
	}
	v.EtherMAC = true
	first, taken := b.macs[v.Interface]
	switch {
	case v.InterfaceType != conf.Ether:
		b.fail(n.line, join(s.label, "ether_mac"), `has no meaning with iftype = "macvlan"; accepted: ether_mac with iftype = "ether"`)
	case taken:
		b.fail(n.line, join(s.label, "ether_mac"), "%s already takes the virtual MAC address of %s (line %d); accepted: one virtual router of an interface, or iftype = \"macvlan\"", v.Interface, first.label, first.line)
	default:
		b.macs[v.Interface] = place{s.label, n.line}
	}
}

// ioctl reads netdrv. What files of rVRRPd may ask of ioctl(2), but it cannot
// do here, is done by netlink; what only ours can ask of it is refused.
func (b *builder) ioctl(s *section, v *conf.Router) {
	n, label := s.values["netdrv"], join(s.label, "netdrv")
	if n != nil && n.text == "ioctls" {
		b.warn(n, label, `is "libnl": this word of rVRRPd's sample never meant "ioctl"`)
	}
	if v.IOCTL = s.text("netdrv") == "ioctl"; !v.IOCTL || n == nil {
		return
	}
	switch {
	case v.InterfaceType != conf.Ether:
		v.IOCTL = false
		b.warn(n, label, `is "libnl": "ioctl" knows no macvlan`)
	case len(v.Addresses) > 0 && v.Addresses[0].Addr.Is6():
		b.fail(n.line, label, `"ioctl" knows no IPv6; accepted: "libnl"`)
	case len(v.Addresses) > 1:
		b.fail(n.line, label, `"ioctl" knows one address of a virtual router; accepted: "libnl", or one vip`)
	case len(v.Interface) > conf.MaxLabelled:
		v.IOCTL = false
		b.warn(n, label, `is "libnl": "ioctl" has no room for a label of %s, only of names of up to %d characters`, v.Interface, conf.MaxLabelled)
	}
}

// unique refuses a second router with the same interface, family and VRID.
func (b *builder) unique(s *section, ipv6 bool) {
	group, device := s.values["group"], s.values["interface"]
	if group == nil || device == nil {
		return
	}
	id := routerID{device.text, ipv6, group.integer}
	first, taken := b.ids[id]
	if !taken {
		b.ids[id] = place{s.label, group.line}
		return
	}
	family := "IPv4"
	if ipv6 {
		family = "IPv6"
	}
	b.fail(group.line, join(s.label, "group"), "%d is already the %s group of %s on %s (line %d); accepted: each group once per interface and family",
		group.integer, family, first.label, device.text, first.line)
}

// devices checks the names of the macvlans and gives those without one their
// default.
func (b *builder) devices(sections []*section, routers []conf.Router) {
	// Names in the file go first, so that no default can take one of them.
	taken := map[string]place{}
	for _, s := range sections {
		if n := s.values["interface"]; n != nil && taken[n.text].label == "" {
			taken[n.text] = place{"the interface of " + s.label, n.line}
		}
	}
	for i, s := range sections {
		n := s.values["vifname"]
		if n == nil || routers[i].InterfaceType != conf.MACVLAN {
			continue
		}
		if first, ok := taken[n.text]; ok {
			b.fail(n.line, join(s.label, "vifname"), "%s is already %s (line %d); accepted: a name of its own", n.shown(), first.label, first.line)
			continue
		}
		taken[n.text] = place{"the vifname of " + s.label, n.line}
		routers[i].DeviceName = n.text
	}
	next := map[uint8]int{}
	for i, s := range sections {
		if s.given["vifname"] || s.values["group"] == nil || routers[i].InterfaceType != conf.MACVLAN {
			continue
		}
		name := conf.DefaultDevice(routers[i].VRID, next)
		for taken[name].label != "" {
			name = conf.DefaultDevice(routers[i].VRID, next)
		}
		if !conf.IsDevice(name) {
			b.fail(s.line, join(s.label, "vifname"), "has no default left, for %s is too long; accepted: %s", name, acceptedDevice)
			continue
		}
		taken[name] = place{"the vifname of " + s.label, s.line}
		routers[i].DeviceName, routers[i].DefaultDevice = name, true
	}
}

// invalid tells whether the file gives the key a value that did not pass.
func (s *section) invalid(key string) bool {
	return s.given[key] && s.values[key] == nil
}
