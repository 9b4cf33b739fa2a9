package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent"
)

// describeGrants writes what each virtual router of a configuration may ever
// cause, whatever the network process asks for, as comments of TOML.
func describeGrants(c *conf.Config, w io.Writer) error {
	for slot, g := range parent.Grants(c) {
		where := "the interface itself"
		if g.Device != "" {
			where = "the macvlan " + g.Device
		}
		var addrs []string
		for _, a := range g.Addresses {
			addrs = append(addrs, a.Addr.String())
		}
		_, err := fmt.Fprintf(w, `# grant %d: %s
#   advertise version %s, priority 0..%d (255 once the interface has the addresses), one in %s
#   hold on %s, until %v after the last advertisement: %s
#   announce them from %s, one round in %s
#   take and release them, one in %s
`, slot, g.Name, versions(g), g.Ceiling, g.Advertise,
			where, g.Lease.Round(time.Millisecond), strings.Join(addrs, ", "), speaker(g), g.Announce, g.Churn)
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

func versions(g parent.Granted) string {
	if g.Migration {
		return "2 and 3"
	}
	return fmt.Sprint(g.Version)
}

// speaker is the hardware address that announcements name.
func speaker(g parent.Granted) string {
	if g.Device == "" && !g.EtherMAC {
		return "the interface's own hardware address"
	}
	return net.HardwareAddr(g.MAC[:]).String()
}
