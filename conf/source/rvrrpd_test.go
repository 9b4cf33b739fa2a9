package source_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
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
	c, err := source.Parse("f", []byte(first), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`f:27:1: api: has no effect: there is no interface for clients, and no port is opened`,
		`f:6:1: client_api: has no effect: there is no interface for clients, and no port is opened`,
		`f:19:1: vrouter[1].auth_secret: is longer than 8 bytes: only the first 8 count`,
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
	c, err = source.Parse("f", []byte(second), conf.JSON)
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

// old is a configuration of the first releases, whose types of authentication
// are numbers, with words that never meant what they say.
const old = `verbose = 1
debug = 3
client_api = "rest"

[[vrouter]]
group = 21
interface = "enp4s0f1np1"
vip = "198.51.100.1"
priority = 200
auth_type = 0
auth_secret = "unused"
timers = { advert = 1 }
netdrv = "ioctl"

[[vrouter]]
group = 21
interface = "eth1"
vip = "203.0.113.1"
netdrv = "ioctl"
iftype = "macvlan"

[[vrouter]]
group = 22
interface = "eth1"
vip = "203.0.113.2"
netdrv = "ioctls"
vifname = "vrrp22"
auth_secret = "unused"

[[vrouter]]
group = 23
interface = "eth1"
vip = "203.0.113.3"
netdrv = "ioctl"
`

// TestOldFiles: what rVRRPd took for something else is that, with a warning.
func TestOldFiles(t *testing.T) {
	t.Parallel()
	c, err := source.Parse("f", []byte(old), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`f:3:1: client_api: has no effect: there is no interface for clients, and no port is opened`,
		`f:1:1: verbose: has no effect: rVRRPd has debug in its place`,
		`f:10:1: vrouter[1].auth_type: is "none": numbers are those of old files of rVRRPd`,
		`f:11:1: vrouter[1].auth_secret: has no effect without auth_type: nothing is authenticated`,
		`f:13:1: vrouter[1].netdrv: is "libnl": "ioctl" has no room for a label of enp4s0f1np1, only of names of up to 8 characters`,
		`f:19:1: vrouter[2].netdrv: is "libnl": "ioctl" knows no macvlan`,
		`f:28:1: vrouter[3].auth_secret: has no effect without auth_type: nothing is authenticated`,
		`f:26:1: vrouter[3].netdrv: is "libnl": this word of rVRRPd's sample never meant "ioctl"`,
		`f:27:1: vrouter[3].vifname: has no effect with iftype = "ether": the addresses have no interface of their own`,
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for i, v := range c.Routers {
		device := []string{"", "standby21", "", ""}[i]
		if v.IOCTL != (i == 3) || v.DeviceName != device || v.Auth != conf.AuthNone || len(v.Secret) > 0 {
			t.Errorf("vrouter[%d]: %+v", i+1, v)
		}
	}
	// The same in JSON, and what only the canonical form can say.
	j, err := source.Parse("f", []byte(`{ "verbose": 0, "client_api": "rest", "vrouter": [
		{ "group": 21, "interface": "eth0", "vip": "198.51.100.1", "auth_type": 0, "auth_secret": "x", "rfc3768": null },
		{ "group": 21, "interface": "eth1", "vip": "203.0.113.1", "netdrv": "ioctl", "iftype": "macvlan", "timers": { "advert": 2 }, },
	], "api": { "users": [], "tls": true, "host": "127.0.0.1:7080" } }`), conf.JSON)
	if err != nil || len(j.Warnings) != 8 {
		t.Fatalf("%v, %+v", err, j)
	}
	var b bytes.Buffer
	if err := source.Print(j, &b); err != nil {
		t.Fatal(err)
	}
	again, err := source.Parse("f", b.Bytes(), conf.TOML)
	if err != nil || len(again.Warnings) > 0 {
		t.Fatalf("%v, %+v of\n%s", err, again, b.String())
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
		_, err := source.Parse("f", []byte(tt.text), tt.format)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.text, err, tt.want)
		}
	}
}
