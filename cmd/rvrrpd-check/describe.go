package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/pace"
	"github.com/rvrrpd/rvrrpd/records"
)

// describeGrants writes what each virtual router of a configuration may ever
// cause, whatever the network process asks for, as comments of TOML.
func describeGrants(c *conf.Config, w io.Writer) error {
	for slot := range c.Routers {
		r := &c.Routers[slot]
		g := records.LimitsOf(r)
		where := "the interface itself"
		if r.InterfaceType == conf.MACVLAN {
			where = "the macvlan " + r.DeviceName
		}
		var addrs []string
		for _, a := range r.Addresses {
			addrs = append(addrs, a.Addr.String())
		}
		_, err := fmt.Fprintf(w, `# grant %d: %s
#   advertise version %s, priority 0..%d (255 once the interface has the addresses), one in %s
#   hold on %s, until %v after the last advertisement: %s
#   announce them from %s, one round in %s
#   take and release them, one in %s
`, slot, r.Name(), versions(r), g.Ceiling, rate(g.Advertise),
			where, g.Lease.Round(time.Millisecond), strings.Join(addrs, ", "), speaker(r, g.MAC), rate(g.Announce), rate(g.Churn))
		if err != nil {
			return err
		}
	}
	for _, r := range c.Routes {
		if _, err := fmt.Fprintf(w, "# route while any of them is Active: %v via %v\n", r.Prefix, r.NextHop); err != nil {
			return err
		}
	}
	return nil
}

// rate is a rate in words.
func rate(r pace.Rate) string { return fmt.Sprintf("%v and %d at once", r.Period, r.Burst) }

func versions(r *conf.Router) string {
	if r.Migration {
		return "2 and 3"
	}
	return fmt.Sprint(r.Version)
}

// speaker is the hardware address that announcements name.
func speaker(r *conf.Router, virtual [6]byte) string {
	if r.InterfaceType != conf.MACVLAN && !r.EtherMAC {
		return "the interface's own hardware address"
	}
	return net.HardwareAddr(virtual[:]).String()
}
