package source_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// addr compares addresses, whose fields are hidden.
var addr = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

func address(s string, bits int) conf.Address {
	return conf.Address{Addr: netip.MustParseAddr(s), Bits: bits}
}

// defaults returns what the least configuration comes to; edit changes it.
func defaults(edit func(*conf.Config)) *conf.Config {
	c := &conf.Config{
		TimeZone: "local", TimeFormat: "disabled", LogFormat: "text",
		PIDFile: "/var/run/rvrrpd.pid", WorkingDir: "/tmp",
		MainLog: "/var/log/rvrrpd.log", ErrorLog: "/var/log/rvrrpd-error.log", StateDir: "/var/lib/rvrrpd", Lease: "auto",
		Routers: []conf.Router{{
			VRID: 7, Version: 2, Checksum: conf.RFC9568, Interface: "eth0", Addresses: []conf.Address{address("192.0.2.254", 0)},
			Priority: 100, AcceptMode: true, AdverInterval: time.Second, InterfaceType: conf.Ether, SocketFilter: true, Auth: conf.AuthNone, Announcements: conf.Announcements{Repeat: 5, Delay: 5 * time.Second},
		}},
	}
	if edit != nil {
		edit(c)
	}
	return c
}

const least = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.254\"\n"

func TestParseTOML(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       *conf.Config
	}{
		{"least", least, defaults(nil)},
		{"byte order mark and CRLF", "\ufeff" + strings.ReplaceAll(least, "\n", "\r\n"), defaults(nil)},
		{"globals", `debug = 4
time_zone = "local"
time_format = "disabled"
pid = "run/rvrrpd.pid"
working_dir = "/var/tmp"
main_log = "/a"
error_log = "/b \"c\""
user = "_vrrp-1.x"
` + least, defaults(func(c *conf.Config) {
			c.Debug, c.User = 4, "_vrrp-1.x"
			c.PIDFile, c.WorkingDir, c.MainLog, c.ErrorLog = "run/rvrrpd.pid", "/var/tmp", "/a", `/b "c"`
		})},
		{"every key of a router", least + `version = 2
priority = 254
preemption = true
iftype = "macvlan"
vifname = "vrrp0"
netdrv = "libnl"
socket_filter = false
rfc3768 = true
auth_type = "none"
timers = { advert = 255 }
`, defaults(func(c *conf.Config) {
			v := &c.Routers[0]
			v.Priority, v.PreemptMode, v.InterfaceType, v.DeviceName = 254, true, conf.MACVLAN, "vrrp0"
			v.SocketFilter, v.AdverInterval = false, 255*time.Second
		})},
		{"version 3", least + "version = 3\ntimers = { advert = 0.01 }\n", defaults(func(c *conf.Config) {
			c.Routers[0].Version, c.Routers[0].Checksum, c.Routers[0].AdverInterval = 3, conf.ChecksumAuto, 10*time.Millisecond
		})},
		{"version 3 with the checksum of RFC 5798", least + "version = 3\nchecksum = \"rfc5798\"\n", defaults(func(c *conf.Config) {
			c.Routers[0].Version, c.Routers[0].Checksum = 3, conf.RFC5798
		})},
		{"version 3 with the checksum of RFC 9568", least + "version = 3\nchecksum = \"rfc9568\"\n", defaults(func(c *conf.Config) {
			c.Routers[0].Version = 3
		})},
		{"version 3, longest", least + "version = 3\ntimers = { advert = 40.95 }\n", defaults(func(c *conf.Config) {
			c.Routers[0].Version, c.Routers[0].Checksum, c.Routers[0].AdverInterval = 3, conf.ChecksumAuto, 40950*time.Millisecond
		})},
		{"version 3, whole seconds", least + "version = 3\ntimers = { advert = 2 }\n", defaults(func(c *conf.Config) {
			c.Routers[0].Version, c.Routers[0].Checksum, c.Routers[0].AdverInterval = 3, conf.ChecksumAuto, 2*time.Second
		})},
		{"whole seconds as a float", least + "timers = { advert = 2.0 }\n", defaults(func(c *conf.Config) {
			c.Routers[0].AdverInterval = 2 * time.Second
		})},
		{"timers as a table", least + "[vrouter.timers]\nadvert = 3\n", defaults(func(c *conf.Config) {
			c.Routers[0].AdverInterval = 3 * time.Second
		})},
		{"timers as a dotted key", least + "timers.advert = 0x10\n", defaults(func(c *conf.Config) {
			c.Routers[0].AdverInterval = 16 * time.Second
		})},
		{"empty protocols", least + "[protocols]\nstatic = []\n", defaults(nil)},
		{"list of addresses keeps its order", strings.Replace(least, `"192.0.2.254"`, `["192.0.2.9/24", "192.0.2.1", "10.0.0.0/31", "198.51.100.0/32"]`, 1),
			defaults(func(c *conf.Config) {
				c.Routers[0].Addresses = []conf.Address{
					address("192.0.2.9", 24), address("192.0.2.1", 0), address("10.0.0.0", 31), address("198.51.100.0", 32)}
			})},
		{"inline router", `vrouter = [{ group = 7, interface = "eth0", vip = "192.0.2.254" }]`, defaults(nil)},
		{"same group on another interface", least + strings.NewReplacer("eth0", "eth1", "254", "253").Replace(least), defaults(func(c *conf.Config) {
			v := c.Routers[0]
			v.Interface, v.Addresses = "eth1", []conf.Address{address("192.0.2.253", 0)}
			c.Routers = append(c.Routers, v)
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := source.Parse("f", []byte(test.text), conf.TOML)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, addr); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			// The same document says the same in JSON.
			got, err = source.Parse("f", tomlToJSON(t, []byte(test.text)), conf.JSON)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, addr); diff != "" {
				t.Errorf("configuration from JSON (-want +got):\n%s", diff)
			}
		})
	}
}

// tomlToJSON translates a document from one language to the other.
func tomlToJSON(t testing.TB, text []byte) []byte {
	t.Helper()
	var document map[string]any
	if err := toml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rVRRPd's own JSON sample, with nulls, less its routes.
func TestParseJSONOfRVRRPd(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("testdata/rvrrpd.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.Parse("f", sample, conf.JSON)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults(func(c *conf.Config) {
		c.Debug, c.WorkingDir = 5, "/var/tmp"
		v := &c.Routers[0]
		v.Interface, v.Addresses = "vmnet8", []conf.Address{address("10.0.2.1", 0)}
		v.InterfaceType, v.DeviceName = conf.MACVLAN, "vrrp0"
	})
	if diff := cmp.Diff(want, got, addr); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestDefaultDeviceNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// each router is "group interface [vifname]"
		routers []string
		want    []string
	}{
		{"group", []string{"7 eth0"}, []string{"standby7"}},
		{"groups", []string{"7 eth0", "8 eth0"}, []string{"standby7", "standby8"}},
		{"interfaces", []string{"7 eth0", "7 eth1", "7 eth2"}, []string{"standby7", "standby7-2", "standby7-3"}},
		{"a later vifname has the default", []string{"7 eth0", "8 eth0 standby7"}, []string{"standby7-2", "standby7"}},
		{"a vifname has the second", []string{"7 eth0", "7 eth1", "9 eth0 standby7-2"}, []string{"standby7", "standby7-3", "standby7-2"}},
		{"an interface has the default", []string{"7 standby7"}, []string{"standby7-2"}},
		{"a vifname leaves the default free", []string{"7 eth0 vrrp0", "7 eth1"}, []string{"vrrp0", "standby7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			for i, r := range test.routers {
				f := strings.Fields(r)
				text.WriteString("[[vrouter]]\niftype = \"macvlan\"\ngroup = " + f[0] + "\ninterface = \"" + f[1] + "\"\n")
				text.WriteString("vip = \"192.0.2." + string(rune('1'+i)) + "\"\n")
				if len(f) > 2 {
					text.WriteString("vifname = \"" + f[2] + "\"\n")
				}
			}
			c, err := source.Parse("f", []byte(text.String()), conf.TOML)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range c.Routers {
				got = append(got, v.DeviceName)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

// wantErrors parses the text and compares the errors with the wanted lines.
// column matches that of an error: TestColumns looks at them.
var column = regexp.MustCompile(`(?m)^(f:\d+):\d+`)

func wantErrors(t *testing.T, text string, format conf.Format, want ...string) {
	t.Helper()
	c, err := source.Parse("f", []byte(text), format)
	var errs source.Errors
	if !errors.As(err, &errs) || c != nil {
		t.Fatalf("configuration %v, error %v; want errors", c, err)
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), column.ReplaceAllString(err.Error(), "$1")); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// All errors of a file come at once, by line.
func TestAllErrorsAtOnce(t *testing.T) {
	t.Parallel()
	wantErrors(t, `debgu = 1
debug = 6

[[vrouter]]
group = 300
interface = "eth0"
vip = [
  "192.0.2.1/24",
  "192.0.2.1",
]
timers = { advert = 0 }

[[vrouter]]
interface = "eth0"
vip = "192.0.2.1"
priority = "high"
`, conf.TOML,
		`f:1: debgu: unknown key; did you mean debug?`,
		`f:2: debug: 6 is out of range; accepted: 0..5`,
		`f:5: vrouter[1].group: 300 is out of range; accepted: 1..255`,
		`f:9: vrouter[1].vip[2]: 192.0.2.1 is already an address of vrouter[1] (line 8); accepted: each address once on an interface`,
		`f:11: vrouter[1].timers.advert: 0 is out of range; accepted: 1..255 in whole seconds, with version = 2`,
		`f:13: vrouter[2].group: is missing; accepted: 1..255`,
		`f:15: vrouter[2].vip: 192.0.2.1 is already an address of vrouter[1] (line 8); accepted: each address once on an interface`,
		`f:16: vrouter[2].priority: is a string; accepted: an integer 1..255`,
	)
}
