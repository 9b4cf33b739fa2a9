package conf_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
)

// first is a configuration as the operator of an rVRRPd 0.1.3 has it, with
// everything that its documentation shows.
const first = `debug = 5
pid = "/var/tmp/rvrrpd.pid"
working_dir = "/var/tmp"
main_log = "/var/tmp/rvrrpd.log"
error_log = "/var/tmp/rvrrpd-error.log"
client_api = "http"

[[vrouter]]
group = 1
interface = "ens192.900"
vip = "10.100.100.1"
priority = 254
preemption = true
rfc3768 = true
netdrv = "libnl"
iftype = "macvlan"
vifname = "vrrp0"
auth_type = "rfc2338-simple"
auth_secret = "longer-than-eight"

[protocols]
    [[protocols.static]]
    route = "0.0.0.0"
    mask = "0.0.0.0"
    nh = "10.240.0.254"

[api]
tls = false
host = "0.0.0.0:7080"
users = [ "{{SHA256}}admin:0:1eb7ac761a1201f9:095820af" ]
`

// second is the like in JSON, with nulls and a comma too many.
const second = `{
    "debug": 5,
    "time_zone": "utc",
    "time_format": "short",
    "pid": "/var/run/rvrrpd.pid",
    "vrouter": [
        {
            "group": 2, "interface": "vmnet8", "vip": "10.0.2.1",
            "priority": 100, "preemption": false, "auth_type": null, "auth_secret": null,
            "timers": null, "rfc3768": false, "netdrv": "libnl",
            "iftype": "macvlan", "vifname": "vrrp0", "socket_filter": true,
        }
    ],
    "protocols": {
        "static": [
            { "route": "100.100.100.0", "mask": "255.255.255.0", "nh": "10.2.2.1", "metric": 500, "mtu": 1500 },
        ]
    }
}`

// TestFilesOfRVRRPd: a working configuration of rVRRPd works, with a warning
// for each thing in it that has no effect.
func TestFilesOfRVRRPd(t *testing.T) {
	t.Parallel()
	c, err := conf.Parse("f", []byte(first), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`f:27:1: api: has no effect: there is no interface for clients, and no port is opened`,
		`f:6:1: client_api: has no effect: there is no interface for clients, and no port is opened`,
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	v := c.Routers[0]
	if c.Debug != 5 || v.VRID != 1 || v.DeviceName != "vrrp0" || v.Auth != conf.AuthSimple || string(v.Secret) != "longer-than-eight" || !v.PreemptMode || v.AdverInterval != time.Second {
		t.Errorf("%+v", c)
	}
	if c.Routes[0].Prefix != netip.MustParsePrefix("0.0.0.0/0") || c.Routes[0].NextHop != netip.MustParseAddr("10.240.0.254") {
		t.Errorf("routes %v", c.Routes)
	}
	c, err = conf.Parse("f", []byte(second), conf.JSON)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{
		`f:11:75: JSON has no comma behind the last value; it is ignored`,
		`f:16:112: JSON has no comma behind the last value; it is ignored`,
		`f:10:29: vrouter[1].rfc3768: has no effect: the addresses of the interface are never advertised`,
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if c.TimeZone != "utc" || c.TimeFormat != "short" || c.Routes[0].Metric != 500 {
		t.Errorf("%+v", c)
	}
}

// TestColumns: an error says where its key begins, in characters.
func TestColumns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format     conf.Format
		text, want string
	}{
		{conf.TOML, least + `  priority = 0`, "f:5:3: vrouter[1].priority"},
		{conf.TOML, `pid = "é", x`, "f:1:10: TOML syntax"},
		{conf.TOML, "[[vrouter]]\ngroup = 1\ninterface = \"a\"\nvip = [ \"192.0.2.1\",\n  \"x\" ]\n", "f:5:3: vrouter[1].vip[2]"},
		{conf.TOML, least + `timers = { advert = -1 }`, "f:5:12: vrouter[1].timers.advert"},
		{conf.TOML, least + "[[vrouter]]\n group = 1", "f:5: vrouter[2].interface: is missing"},
		{conf.JSON, "{\n  \"é\": 1, \"debug\": \n 9, \"vrouter\": [] }", "f:2:11: debug"},
		{conf.JSON, `{ "vrouter": [ { "group": 1, "interface": "a", "vip": [ "192.0.2.1", "x" ] } ] }`, "f:1:70: vrouter[1].vip[2]"},
		{conf.JSON, `{ "debug": 1, "debug": 2 }`, "f:1:15: debug: is given twice"},
		{conf.JSON, "{ \"debug\": 1\n  \"pid\": \"\" }", "f:2:3: JSON syntax"},
	} {
		_, err := conf.Parse("f", []byte(tt.text), tt.format)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.text, err, tt.want)
		}
	}
}
