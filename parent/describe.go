package parent

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
)

// DescribeGrants writes what each virtual router of a configuration may ever
// cause, whatever the network process asks for, as comments of TOML.
func DescribeGrants(c *conf.Config, w io.Writer) error {
	gs, _ := grants(c)
	for i := range gs {
		g := &gs[i]
		where := "the interface itself"
		if g.device != "" {
			where = "the macvlan " + g.device
		}
		var addrs []string
		for _, a := range g.addrs {
			addrs = append(addrs, a.Addr.String())
		}
		_, err := fmt.Fprintf(w, `# grant %d: %s
#   advertise version %s, priority 0..%d (255 once the interface has the addresses), one in %v and %d at once
#   hold on %s, until %v after the last advertisement: %s
#   announce them from %s, one round in %v and %d at once
#   take and release them, one in %v and %d at once
`, g.slot, g.name, g.versions(), g.ceiling, g.advert.period, g.advert.burst,
			where, g.lease.Round(time.Millisecond), strings.Join(addrs, ", "), g.speaker(), g.announce.period, g.announce.burst, g.churn.period, g.churn.burst)
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

func (g *grant) versions() string {
	if g.migration {
		return "2 and 3"
	}
	return fmt.Sprint(g.version)
}

// speaker is the hardware address that announcements name.
func (g *grant) speaker() string {
	if g.device == "" && !g.etherMAC {
		return "the interface's own hardware address"
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", g.mac[0], g.mac[1], g.mac[2], g.mac[3], g.mac[4], g.mac[5])
}
