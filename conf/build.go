package conf

import (
	"net/netip"
	"strconv"
	"time"
)

// config checks the whole document and assembles what is valid in it. The
// result counts only when no error was found.
func (r *reader) config(root *node) *Config {
	top := r.table(root, "", "")
	c := &Config{
		Debug:      int(top.number("debug")),
		PIDFile:    top.text("pid"),
		WorkingDir: top.text("working_dir"),
		MainLog:    top.text("main_log"),
		ErrorLog:   top.text("error_log"),
		User:       top.text("user"),
	}
	routers := top.tables["vrouter"]
	b := &builder{reader: r, ids: map[routerID]place{}, addresses: map[netip.Addr]place{}}
	for _, s := range routers {
		c.Routers = append(c.Routers, b.router(s))
	}
	b.devices(routers, c.Routers)
	return c
}

// builder assembles routers and remembers what each has taken.
type builder struct {
	*reader
	ids       map[routerID]place
	addresses map[netip.Addr]place
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
func (b *builder) router(s *section) Router {
	v := Router{
		VRID:          uint8(s.number("group")),
		Interface:     s.text("interface"),
		Priority:      uint8(s.number("priority")),
		PreemptMode:   s.flag("preemption"),
		Version:       version(s),
		Checksum:      Checksum(s.text("checksum")),
		AdverInterval: time.Second,
		InterfaceType: InterfaceType(s.text("iftype")),
		SocketFilter:  s.flag("socket_filter"),
	}
	if n := s.below("timers").values["advert"]; n != nil {
		v.AdverInterval = b.advert(n, join(s.below("timers").label, "advert"), v.Version)
	}
	var ipv6 bool
	v.Addresses, ipv6 = b.vip(s)
	b.unique(s, ipv6)
	if name := s.values["vifname"]; name != nil && v.InterfaceType != MACVLAN && !s.invalid("iftype") {
		b.fail(name.line, join(s.label, "vifname"), `%s names no interface with iftype = "ether"; accepted: vifname with iftype = "macvlan"`, name.shown())
	}
	if n := s.values["checksum"]; n != nil && v.Version == 2 {
		b.fail(n.line, join(s.label, "checksum"), "has no meaning with version = 2; accepted: checksum with version = 3")
	}
	return v
}

// version is the version of a virtual router; the default where the file has
// none that is valid.
func version(s *section) uint8 {
	if n := s.values["version"]; n != nil {
		return uint8(n.integer)
	}
	return uint8(s.number("version"))
}

// advert reads the Advertisement_Interval, whose range hangs on the version.
func (b *builder) advert(n *node, label string, version uint8) time.Duration {
	v, _ := hundredths(n)
	low, high, step, accepted := int64(minAdvert), int64(maxAdvert), int64(100), "1..255 in whole seconds, with version = 2"
	if version == 3 {
		low, high, step, accepted = minAdvert3, maxAdvert3, 1, "0.01..40.95, with version = 3"
	}
	switch {
	case v < low || v > high:
		b.fail(n.line, label, "%s is out of range; accepted: %s", shorten(n.text), accepted)
	case v%step != 0:
		b.fail(n.line, label, "%s is not a whole number; accepted: %s", shorten(n.text), accepted)
	}
	return time.Duration(v) * 10 * time.Millisecond
}

// vip reads the virtual addresses, and tells whether they are IPv6: the first
// valid one decides.
func (b *builder) vip(s *section) (addresses []Address, ipv6 bool) {
	known, n := byKey["vrouter.vip"], s.values["vip"]
	if n == nil {
		return nil, false
	}
	label := join(s.label, "vip")
	items, labels := []*node{n}, []string{label}
	if n.kind == arrayKind {
		items, labels = n.items, nil
		for i := range items {
			labels = append(labels, numbered(label, i))
		}
	}
	known6 := false
	for i, item := range items {
		if item.kind != stringKind {
			continue
		}
		a, problem := parseAddress(item.text)
		if problem != "" {
			b.fail(item.line, labels[i], "%s %s; accepted: %s", item.shown(), problem, known.accepts())
			continue
		}
		if !known6 {
			known6, ipv6 = true, a.Addr.Is6()
		}
		first, taken := b.addresses[a.Addr]
		if !taken {
			b.addresses[a.Addr] = place{s.label, item.line}
		}
		switch {
		case a.Addr.Is6() != ipv6:
			b.fail(item.line, labels[i], "%s is of another family than the first address; accepted: one family in a virtual router", item.shown())
		case taken:
			b.fail(item.line, labels[i], "%v is already an address of %s (line %d); accepted: each address once in the file", a.Addr, first.label, first.line)
		case ipv6:
			b.fail(item.line, labels[i], "not supported yet: vrouter.vip = %s; accepted: %s", item.shown(), known.accepts())
		default:
			addresses = append(addresses, a)
		}
	}
	return addresses, ipv6
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
func (b *builder) devices(sections []*section, routers []Router) {
	// Names in the file go first, so that no default can take one of them.
	taken := map[string]place{}
	for _, s := range sections {
		if n := s.values["interface"]; n != nil && taken[n.text].label == "" {
			taken[n.text] = place{"the interface of " + s.label, n.line}
		}
	}
	for i, s := range sections {
		n := s.values["vifname"]
		if n == nil || routers[i].InterfaceType != MACVLAN {
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
		if s.given["vifname"] || s.values["group"] == nil || routers[i].InterfaceType != MACVLAN {
			continue
		}
		name := defaultDevice(routers[i].VRID, next)
		for taken[name].label != "" {
			name = defaultDevice(routers[i].VRID, next)
		}
		if !isDevice(name) {
			b.fail(s.line, join(s.label, "vifname"), "has no default left, for %s is too long; accepted: %s", name, acceptedDevice)
			continue
		}
		taken[name] = place{"the vifname of " + s.label, s.line}
		routers[i].DeviceName = name
	}
}

// defaultDevice returns the next default for a virtual router: standby<VRID>,
// then standby<VRID>-2, -3 and so on. next counts what was given out.
func defaultDevice(vrid uint8, next map[uint8]int) string {
	name := "standby" + strconv.Itoa(int(vrid))
	next[vrid]++
	if n := next[vrid]; n > 1 {
		name += "-" + strconv.Itoa(n)
	}
	return name
}

// invalid tells whether the file gives the key a value that did not pass.
func (s *section) invalid(key string) bool {
	return s.given[key] && s.values[key] == nil
}
