package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A configuration comes from a process that has read its text, and that the text may have
// taken over. Nobody who holds a privilege believes it before Check: it holds whatever it
// says against the ranges of [Config], and nothing else is believed about it.

// claim is one thing that has to be true of a configuration.
type claim struct {
	holds bool
	what  string
}

// first returns the first claim that does not hold.
func first(claims []claim) error {
	for _, c := range claims {
		if !c.holds {
			return errors.New(c.what + " is out of range")
		}
	}
	return nil
}

// Check holds a configuration, with its secrets, against the ranges of its fields.
func (c *Config) Check() error {
	if err := first(c.claims()); err != nil {
		return err
	}
	for _, r := range c.Routes {
		if err := r.Check(); err != nil {
			return fmt.Errorf("route to %v: %w", r.Prefix, err)
		}
	}
	for i := range c.Routers {
		if err := c.Routers[i].Check(); err != nil {
			return fmt.Errorf("virtual router %d: %w", i+1, err)
		}
	}
	return c.unique()
}

// Check holds a route against the ranges of its fields.
func (r *Route) Check() error { return first(r.claims()) }

// Check holds a virtual router, with its secrets, against the ranges of its fields.
func (r *Router) Check() error {
	for _, claims := range [][]claim{r.claims(), r.timeClaims(), r.deviceClaims(), r.authClaims()} {
		if err := first(claims); err != nil {
			return err
		}
	}
	return nil
}

// unique looks for what virtual routers cannot share.
func (c *Config) unique() error {
	taken, interfaces := make(map[string]bool), make(map[string]bool)
	for i := range c.Routers {
		interfaces[c.Routers[i].Interface] = true
	}
	take := func(what string) error {
		if taken[what] {
			return fmt.Errorf("%s is there twice", what)
		}
		taken[what] = true
		return nil
	}
	for i := range c.Routers {
		r := &c.Routers[i]
		err := take("virtual router " + r.Name())
		for _, a := range r.Addresses {
			err = errors.Join(err, take(fmt.Sprintf("address %v of %s", a.Addr, r.Interface)))
		}
		if r.DeviceName != "" {
			err = errors.Join(err, take("interface "+r.DeviceName))
		}
		if r.EtherMAC {
			err = errors.Join(err, take("hardware address of "+r.Interface))
		}
		if err != nil {
			return err
		}
		if interfaces[r.DeviceName] {
			return fmt.Errorf("interface %s is there twice", r.DeviceName)
		}
	}
	return nil
}

// oneOf tells whether a text is one of some.
func oneOf[T ~string](value T, accepted ...T) bool { return slices.Contains(accepted, value) }

// within tells whether a time is from low to high, and a whole number of steps.
func within(d, low, high, step time.Duration) bool { return d >= low && d <= high && d%step == 0 }

func (c *Config) claims() []claim {
	fast := slices.ContainsFunc(c.Routers, func(r Router) bool { return r.AdverInterval < time.Second })
	return []claim{
		{c.Debug >= 0 && c.Debug <= 5, "debug"},
		{oneOf(c.TimeZone, "local", "utc"), "time_zone"},
		{oneOf(c.TimeFormat, "disabled", "short", "rfc2822", "rfc3339"), "time_format"},
		{oneOf(c.LogFormat, "text", "json"), "log_format"},
		{IsPath(c.PIDFile), "pid"},
		{IsFullPath(c.WorkingDir), "working_dir"},
		{IsPath(c.MainLog), "main_log"},
		{IsPath(c.ErrorLog), "error_log"},
		{IsUser(c.User), "user"},
		{IsFullPath(c.StateDir), "state_dir"},
		{oneOf(c.Lease, "auto", "lifetime", "nftables", "off"), "lease"},
		{c.Lease != "lifetime" || !fast, "lease, with an interval below a second,"},
		{len(c.Routers) > 0 && len(c.Routers) <= MaxRouters, "number of virtual routers"},
		{len(c.Routes) <= MaxRoutes, "number of routes"},
	}
}

func (r *Route) claims() []claim {
	return []claim{
		{r.Prefix.IsValid() && r.Prefix.Masked() == r.Prefix && !r.Prefix.Addr().Is4In6(), "network"},
		{isUnicast(r.NextHop) && r.NextHop.Is4() == r.Prefix.Addr().Is4(), "next hop"},
		{r.Metric >= 0 && r.Metric < 1<<15, "metric"},
		{r.MTU >= 0 && r.MTU < 1<<16, "MTU"},
	}
}

// isUnicast tells whether an address can be that of a router.
func isUnicast(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

func (r *Router) claims() []claim {
	if len(r.Addresses) == 0 || len(r.Addresses) > MaxAddresses {
		return []claim{{false, "number of addresses"}}
	}
	six := r.Addresses[0].Addr.Is6()
	claims := []claim{
		{r.VRID > 0, "VRID"},
		{IsDevice(r.Interface), "interface"},
		{r.Version == 3 || r.Version == 2 && !six, "version"},
		{!r.Migration || r.Version == 3 && !six, "migration"},
		{oneOf(r.Checksum, RFC9568, RFC5798, ChecksumAuto), "checksum"},
		{r.Checksum == RFC9568 || r.Version == 3 && !six, "checksum"},
		{r.Priority > 0, "priority"},
		{r.Owner <= OwnerFalse, "owner"},
		{!six || r.Addresses[0].Addr.IsLinkLocalUnicast(), "first address"},
		{!r.DerivedLinkLocal || six && len(r.Addresses) > 1, "derived address"},
	}
	for _, a := range r.Addresses {
		claims = append(claims, claim{a.Addr.Is6() == six && a.Unfit() == "", "address"})
	}
	return claims
}

func (r *Router) timeClaims() []claim {
	const hundredth, longest = 10 * time.Millisecond, 1000 * time.Second
	interval := within(r.AdverInterval, time.Second, 255*time.Second, time.Second)
	if r.Version == 3 {
		interval = within(r.AdverInterval, hundredth, 4095*hundredth, hundredth)
	}
	a := &r.Announcements
	return []claim{
		{interval, "interval"},
		{within(r.PreemptDelay, 0, longest, hundredth), "preempt_delay"},
		{r.PreemptDelay == 0 || r.PreemptMode && r.Priority < 255, "preempt_delay"},
		{within(r.StartupDelay, 0, longest, hundredth), "startup_delay"},
		{within(r.LinkUpDelay, 0, longest, hundredth), "link_up_delay"},
		{a.Repeat >= 1 && a.Repeat <= 20, "number of announcements"},
		{within(a.Delay, 0, 255*time.Second, time.Second), "delay of announcements"},
		{within(a.Refresh, 0, 86400*time.Second, time.Second), "refresh of announcements"},
		{within(a.Interval, 0, time.Second, hundredth), "interval of announcements"},
	}
}

func (r *Router) deviceClaims() []claim {
	one := len(r.Addresses) == 1 && r.Addresses[0].Addr.Is4() && len(r.Interface) <= MaxLabelled
	return []claim{
		{oneOf(r.InterfaceType, Ether, MACVLAN), "iftype"},
		{r.InterfaceType == MACVLAN && IsDevice(r.DeviceName) || r.InterfaceType == Ether && r.DeviceName == "", "vifname"},
		{!r.DefaultDevice || r.InterfaceType == MACVLAN, "default vifname"},
		{!r.EtherMAC || r.InterfaceType == Ether, "ether_mac"},
		{!r.IOCTL || r.InterfaceType == Ether && one, "netdrv"},
	}
}

func (r *Router) authClaims() []claim {
	legacy := oneOf(r.Auth, AuthSimple, AuthP0, AuthP1)
	claims := []claim{
		{legacy && r.Version == 2 || oneOf(r.Auth, AuthNone, AuthHMAC), "auth_type"},
		{len(r.Secret) <= MaxSecret && (legacy || len(r.Secret) == 0), "auth_secret"},
		{isPlaceOrNone(r.SecretSource) && (legacy || r.SecretSource == ""), "place of auth_secret"},
		{(r.HMAC != nil) == (r.Auth == AuthHMAC), "hmac"},
	}
	if r.HMAC == nil {
		return claims
	}
	h, ids := r.HMAC, make(map[uint8]bool)
	for _, k := range h.Keys {
		claims = append(claims,
			claim{k.ID > 0 && !ids[k.ID], "id of a key"},
			claim{len(k.Value) >= MinKey && len(k.Value) <= MaxKey, "key"},
			claim{isPlaceOrNone(k.Source), "place of a key"})
		ids[k.ID] = true
	}
	return append(claims,
		claim{ids[h.ActiveKey], "active_key"},
		claim{oneOf(h.AntiReplay, "time", "monotonic"), "anti_replay"},
		claim{within(h.Window, time.Second, 300*time.Second, time.Second), "time_window"},
		claim{oneOf(h.Mode, "receive-only", "permissive", "enforce"), "mode"})
}

// isPlaceOrNone tells whether a text says where a secret is kept, or is empty.
func isPlaceOrNone(s string) bool {
	path, file := strings.CutPrefix(s, FromFile)
	name, credential := strings.CutPrefix(s, FromCredential)
	return s == "" || file && IsFullPath(path) || credential && IsCredential(name)
}
