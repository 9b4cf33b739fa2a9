package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// TestKeepDevices: a default name stays with its router as long as the file
// leaves it free.
func TestKeepDevices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		routers []string // "interface group [vifname]"
		before  map[string]string
		want    []string
	}{
		{"nothing before", []string{"eth0 7", "eth1 7"}, nil, []string{"standby7", "standby7-2"}},
		{"in front", []string{"eth2 7", "eth0 7", "eth1 7"}, map[string]string{"eth0/7/ipv4": "standby7", "eth1/7/ipv4": "standby7-2"}, []string{"standby7-3", "standby7", "standby7-2"}},
		{"the first is gone", []string{"eth1 7", "eth2 7"}, map[string]string{"eth0/7/ipv4": "standby7", "eth1/7/ipv4": "standby7-2"}, []string{"standby7-2", "standby7"}},
		{"named now", []string{"eth0 7 vrrp7", "eth1 7"}, map[string]string{"eth0/7/ipv4": "standby7", "eth1/7/ipv4": "standby7-2"}, []string{"vrrp7", "standby7-2"}},
		{"another's name now", []string{"eth0 7", "eth0 8 standby7"}, map[string]string{"eth0/7/ipv4": "standby7"}, []string{"standby7-2", "standby7"}},
		{"an interface's name now", []string{"eth0 7", "standby7 8"}, map[string]string{"eth0/7/ipv4": "standby7"}, []string{"standby7-2", "standby8"}},
	} {
		var text strings.Builder
		for i, r := range tt.routers {
			f := append(strings.Fields(r), "")
			fmt.Fprintf(&text, "[[vrouter]]\niftype = \"macvlan\"\ninterface = %q\ngroup = %s\nvip = \"192.0.2.%d\"\n", f[0], f[1], i+1)
			if f[2] != "" {
				fmt.Fprintf(&text, "vifname = %q\n", f[2])
			}
		}
		c, err := source.Parse("f", []byte(text.String()), conf.TOML)
		if err != nil {
			t.Fatal(err)
		}
		c.KeepDevices(tt.before)
		var got []string
		for _, r := range c.Routers {
			got = append(got, r.DeviceName)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
