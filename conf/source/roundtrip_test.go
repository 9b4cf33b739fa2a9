package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// random returns a valid configuration of up to ten routers.
func random(r *rand.Rand) *conf.Config {
	text := func() string {
		runes := []rune("aZ09 /._-\"\\'#=[]{},äß€𝕍")
		s := "/"
		for range r.IntN(12) {
			s += string(runes[r.IntN(len(runes))])
		}
		return s
	}
	users := []string{"", "rvrrpd", "_vrrp", "Nobody-2", "a.b"}
	c := &conf.Config{
		Debug: r.IntN(6), PIDFile: text(), WorkingDir: text(), MainLog: text(), ErrorLog: text(),
		User: users[r.IntN(len(users))], StateDir: text(), Lease: []string{"auto", "nftables", "off"}[r.IntN(3)], InsecureSecrets: r.IntN(2) == 0,
		TimeZone: []string{"local", "utc"}[r.IntN(2)], TimeFormat: []string{"disabled", "short", "rfc2822", "rfc3339"}[r.IntN(4)], LogFormat: []string{"text", "json"}[r.IntN(2)],
	}
	for i := range r.IntN(4) {
		route := conf.Route{Prefix: netip.MustParsePrefix(fmt.Sprintf("172.%d.0.0/16", i)), NextHop: netip.MustParseAddr("192.0.2.1"), Metric: r.IntN(1 << 15), MTU: r.IntN(1 << 16)}
		if r.IntN(2) == 0 {
			route.Prefix, route.NextHop = netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/48", i)), netip.MustParseAddr("fe80::1")
		}
		c.Routes = append(c.Routes, route)
	}
	next := netip.MustParseAddr("10.0.0.0")
	for i := range 1 + r.IntN(10) {
		v := conf.Router{
			VRID:          uint8(1 + r.IntN(255)),
			Interface:     fmt.Sprintf("eth%d.%d", i, r.IntN(4095)),
			Priority:      uint8(1 + r.IntN(255)),
			PreemptMode:   r.IntN(2) == 0,
			Owner:         conf.Owner(r.IntN(3)),
			AcceptMode:    r.IntN(2) == 0,
			StartupDelay:  time.Duration(r.IntN(100_001)) * 10 * time.Millisecond,
			AdverInterval: time.Duration(1+r.IntN(255)) * time.Second,
			InterfaceType: conf.Ether,
			SocketFilter:  r.IntN(2) == 0,
			Auth:          conf.AuthNone,
			LinkUpDelay:   time.Duration(r.IntN(100_001)) * 10 * time.Millisecond,
			Announcements: conf.Announcements{Repeat: 1 + r.IntN(20), Delay: time.Duration(r.IntN(256)) * time.Second,
				Refresh: time.Duration(r.IntN(86401)) * time.Second, Interval: time.Duration(r.IntN(101)) * 10 * time.Millisecond},
		}
		v.Checksum = conf.RFC9568
		if v.Version = 2; r.IntN(2) == 0 {
			v.Checksum = []conf.Checksum{conf.RFC9568, conf.RFC5798, conf.ChecksumAuto}[r.IntN(3)]
			v.Version, v.AdverInterval = 3, time.Duration(1+r.IntN(4095))*10*time.Millisecond
			v.Migration = r.IntN(2) == 0
		}
		if v.PreemptMode && v.Priority < 255 {
			v.PreemptDelay = time.Duration(r.IntN(100_001)) * 10 * time.Millisecond
		}
		if v.EtherMAC = r.IntN(2) == 0; r.IntN(2) == 0 {
			v.EtherMAC = false
			v.InterfaceType, v.DeviceName = conf.MACVLAN, fmt.Sprintf("v%d-_.@A", i)
		}
		if r.IntN(3) == 0 {
			v.Auth, v.HMAC = conf.AuthHMAC, &conf.HMAC{ActiveKey: 9, AntiReplay: "monotonic", Window: time.Duration(1+r.IntN(300)) * time.Second,
				Mode: "permissive", Keys: []conf.Key{{ID: 1, Source: "file:/k"}, {ID: 9, Source: "credential:vrrp"}}}
		} else if v.Version == 2 {
			v.Auth = []conf.AuthType{conf.AuthNone, conf.AuthSimple, conf.AuthP0, conf.AuthP1}[r.IntN(4)]
		}
		if v.Version == 3 && r.IntN(2) == 0 {
			v.Migration, v.Checksum = false, conf.RFC9568
			v.Addresses, v.DerivedLinkLocal = random6(r, v.VRID, i)
			c.Routers = append(c.Routers, v)
			continue
		}
		for range 1 + r.IntN(1+r.IntN(255)) {
			for range 1 + r.IntN(1000) {
				next = next.Next()
			}
			v.Addresses = append(v.Addresses, conf.Address{Addr: next, Bits: randomBits(r, next)})
		}
		c.Routers = append(c.Routers, v)
	}
	return c
}

// random6 returns IPv6 addresses, the first link-local, perhaps derived.
func random6(r *rand.Rand, vrid uint8, router int) (list []conf.Address, derived bool) {
	if derived = r.IntN(2) == 0; derived {
		list = append(list, address(fmt.Sprintf("fe80::5e00:2%02x", vrid), 64))
	}
	for i := range 1 + r.IntN(1+r.IntN(254)) {
		prefix := "2001:db8"
		if len(list) == 0 {
			prefix = "fe80"
		}
		list = append(list, address(fmt.Sprintf("%s:%x::%x", prefix, router, i+1), r.IntN(129)))
	}
	return list, derived
}

// randomBits returns a prefix length, or 0 for none, in which the address is
// neither first nor last.
func randomBits(r *rand.Rand, a netip.Addr) int {
	bits := r.IntN(33)
	if bits == 0 || bits > 30 {
		return bits
	}
	network := netip.PrefixFrom(a, bits).Masked()
	if network.Addr() == a || !network.Contains(a.Next()) {
		return 0
	}
	return bits
}

func printed(t testing.TB, c *conf.Config) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := source.Print(c, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Printed and parsed again, in either language, a configuration is the same.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	configs := []*conf.Config{defaults(nil), defaults(func(c *conf.Config) {
		c.PIDFile = "tab\\t \"quoted\" \u00a0"
		c.Routers[0].InterfaceType, c.Routers[0].DeviceName = conf.MACVLAN, "standby7"
	})}
	const seeds = 200
	for seed := range uint64(seeds) {
		configs = append(configs, random(rand.New(rand.NewPCG(seed, 0))))
	}
	for i, want := range configs {
		text := printed(t, want)
		for _, language := range []struct {
			format conf.Format
			text   []byte
		}{{conf.TOML, text}, {conf.JSON, tomlToJSON(t, text)}} {
			got, err := source.Parse("f", language.text, language.format)
			if err != nil {
				t.Fatalf("configuration %d, %s: %v\n%s", i, language.format, err, language.text)
			}
			got.Warnings = slices.DeleteFunc(got.Warnings, func(w string) bool { return strings.HasSuffix(w, "is empty: everybody knows it") })
			if len(got.Warnings) == 0 {
				got.Warnings = nil
			}
			if diff := cmp.Diff(want, got, addr); diff != "" {
				t.Fatalf("configuration %d, %s (-want +got):\n%s", i, language.format, diff)
			}
		}
	}
}

// The canonical form, literally.
func TestPrint(t *testing.T) {
	t.Parallel()
	c := defaults(func(c *conf.Config) {
		v := c.Routers[0]
		v.InterfaceType, v.DeviceName, v.Interface = conf.MACVLAN, "standby7", "eth1"
		v.Addresses = []conf.Address{address("192.0.2.1", 24), address("192.0.2.2", 0)}
		c.Routers = append(c.Routers, v)
	})
	want := `debug = 0
time_zone = "local"
time_format = "disabled"
log_format = "text"
pid = "/var/run/rvrrpd.pid"
working_dir = "/tmp"
main_log = "/var/log/rvrrpd.log"
error_log = "/var/log/rvrrpd-error.log"
user = ""
state_dir = "/var/lib/rvrrpd"
lease = "auto"
insecure_secrets = false

[[vrouter]]
group = 7
interface = "eth0"
vip = ["192.0.2.254"]
version = 2
priority = 100
owner = "auto"
preemption = false
preempt_delay = 0
startup_delay = 0
link_up_delay = 0
accept_mode = true
strict = false
timers = { advert = 1 }
garp = { repeat = 5, delay = 5, refresh = 0, interval = 0 }
iftype = "ether"
ether_mac = false
netdrv = "libnl"
socket_filter = true
rfc3768 = true
auth_type = "none"

[[vrouter]]
group = 7
interface = "eth1"
vip = [
  "192.0.2.1/24",
  "192.0.2.2",
]
version = 2
priority = 100
owner = "auto"
preemption = false
preempt_delay = 0
startup_delay = 0
link_up_delay = 0
accept_mode = true
strict = false
timers = { advert = 1 }
garp = { repeat = 5, delay = 5, refresh = 0, interval = 0 }
iftype = "macvlan"
vifname = "standby7"
ether_mac = false
netdrv = "libnl"
socket_filter = true
rfc3768 = true
auth_type = "none"
`
	if diff := cmp.Diff(want, string(printed(t, c))); diff != "" {
		t.Errorf("canonical form (-want +got):\n%s", diff)
	}
}

// full is a writer that takes nothing.
type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestPrintFails(t *testing.T) {
	t.Parallel()
	if err := source.Print(defaults(nil), full{}); !errors.Is(err, errFull) {
		t.Errorf("error of the writer: %v", err)
	}
	c := defaults(func(c *conf.Config) { c.Routers[0].AdverInterval = 1505 * time.Millisecond })
	err := source.Print(c, io.Discard)
	if want := "vrouter[1].timers.advert: 1.505s is not a whole number of hundredths of a second"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
