package source

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
)

// isNetwork tells whether s can be the network of a route.
func isNetwork(s string) bool {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return err == nil && !p.Addr().Is4In6()
	}
	a, err := netip.ParseAddr(s)
	return err == nil && !a.Is4In6() && a.Zone() == ""
}

// isNextHop tells whether s can be a next hop.
func isNextHop(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.Is4In6()
}

// route reads a static route, and tells whether it is one.
func (r *reader) route(s *section) (conf.Route, bool) {
	to, mask, nh := s.values["route"], s.values["mask"], s.values["nh"]
	if to == nil || nh == nil || s.invalid("mask") {
		return conf.Route{}, false
	}
	p, err := netip.ParsePrefix(to.text)
	label := join(s.label, "mask")
	switch {
	case err == nil && mask != nil:
		r.fail(mask.line, label, "is given beside the prefix length of %s; accepted: one of them", to.shown())
		return conf.Route{}, false
	case err != nil && mask == nil:
		r.fail(s.line, label, "is missing; accepted: %s, or a prefix length in route", acceptedMask)
		return conf.Route{}, false
	case err != nil:
		a, _ := netip.ParseAddr(to.text)
		if a.Is6() {
			r.fail(mask.line, label, "has no meaning in IPv6; accepted: a prefix length in route, as in \"2001:db8::/32\"")
			return conf.Route{}, false
		}
		m := netip.MustParseAddr(mask.text).As4()
		p = netip.PrefixFrom(a, bits.LeadingZeros32(^binary.BigEndian.Uint32(m[:])))
	}
	hop := netip.MustParseAddr(nh.text)
	switch {
	case p.Masked() != p:
		r.fail(to.line, join(s.label, "route"), "%s has bits set beyond its prefix length of %d; accepted: %v", to.shown(), p.Bits(), p.Masked())
		return conf.Route{}, false
	case hop.Is4() != p.Addr().Is4():
		r.fail(nh.line, join(s.label, "nh"), "%s is of another family than %v; accepted: %s", nh.shown(), p, acceptedNextHop)
		return conf.Route{}, false
	}
	return conf.Route{Prefix: p, NextHop: hop, Metric: int(s.number("metric")), MTU: int(s.number("mtu"))}, true
}

// announcements reads garp with IPv4 addresses, na with IPv6 addresses.
func (b *builder) announcements(s *section, v *conf.Router, ipv6 bool) {
	key, other, family := "garp", "na", "IPv4"
	if ipv6 {
		key, other, family = other, key, "IPv6"
	}
	if tables := s.tables[other]; len(tables) > 0 {
		b.fail(tables[0].line, join(s.label, other), "has no meaning with %s addresses; accepted: %s", family, key)
	}
	t := s.below(key)
	v.Announcements = conf.Announcements{
		Repeat: int(t.number("repeat")), Delay: time.Duration(t.number("delay")) * time.Second, Refresh: time.Duration(t.number("refresh")) * time.Second,
	}
	n := t.values["interval"]
	if n == nil {
		return
	}
	pace, _ := hundredths(n)
	if pace > maxPace {
		b.fail(n.line, join(t.label, "interval"), "%s is out of range; accepted: %s", shorten(n.text), acceptedPace)
	}
	v.Announcements.Interval = time.Duration(pace) * 10 * time.Millisecond
}
