package conf_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// good is a configuration with something of everything.
const good = `
[[protocols.static]]
route = "10.0.0.0/8"
nh = "192.0.2.7"
[[vrouter]]
group = 7
interface = "eth0"
vip = ["192.0.2.1/24", "192.0.2.2"]
priority = 200
preemption = true
preempt_delay = 5
iftype = "macvlan"
auth_type = "rfc2338-simple"
auth_secret = "hunter2"
[[vrouter]]
group = 8
interface = "eth1"
vip = ["fe80::8", "2001:db8::8/64"]
timers = { advert = 0.5 }
auth_type = "hmac"
[vrouter.hmac]
active_key = 1
[[vrouter.hmac.key]]
id = 1
value = "0123456789012345678901234567890123456789"
[[vrouter.hmac.key]]
id = 2
value = "9876543210987654321098765432109876543210"
[[vrouter]]
group = 9
interface = "eth2"
vip = "198.51.100.9"
netdrv = "ioctl"
[[vrouter]]
group = 10
interface = "eth3"
vip = "198.51.100.10"
version = 3
ether_mac = true
`

// TestCheck: what no file could have said is refused, field by field.
func TestCheck(t *testing.T) {
	t.Parallel()
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	for want, spoilers := range map[string][]func(c *conf.Config){
		"debug":       {func(c *conf.Config) { c.Debug = 6 }, func(c *conf.Config) { c.Debug = -1 }},
		"time_zone":   {func(c *conf.Config) { c.TimeZone = "mars" }},
		"time_format": {func(c *conf.Config) { c.TimeFormat = "" }},
		"log_format":  {func(c *conf.Config) { c.LogFormat = "xml" }},
		"pid":         {func(c *conf.Config) { c.PIDFile = "" }, func(c *conf.Config) { c.PIDFile = "a\nb" }},
		"working_dir": {func(c *conf.Config) { c.WorkingDir = "here" }},
		"main_log":    {func(c *conf.Config) { c.MainLog = "" }},
		"error_log":   {func(c *conf.Config) { c.ErrorLog = strings.Repeat("x", 5000) }},
		"user":        {func(c *conf.Config) { c.User = "root" }, func(c *conf.Config) { c.User = "0:0" }},
		"state_dir":   {func(c *conf.Config) { c.StateDir = "" }},
		"lease":       {func(c *conf.Config) { c.Lease = "none" }, func(c *conf.Config) { c.Lease = "lifetime" }},
		"number of virtual routers": {
			func(c *conf.Config) { c.Routers = nil },
			func(c *conf.Config) { c.Routers = make([]conf.Router, conf.MaxRouters+1) },
		},
		"number of routes": {func(c *conf.Config) { c.Routes = make([]conf.Route, conf.MaxRoutes+1) }},
		"network": {
			func(c *conf.Config) { c.Routes[0].Prefix = netip.Prefix{} },
			func(c *conf.Config) { c.Routes[0].Prefix = prefix("10.0.0.1/8") },
		},
		"next hop": {
			func(c *conf.Config) { c.Routes[0].NextHop = netip.Addr{} },
			func(c *conf.Config) { c.Routes[0].NextHop = addr("2001:db8::1") },
			func(c *conf.Config) { c.Routes[0].NextHop = addr("224.0.0.1") },
		},
		"metric": {func(c *conf.Config) { c.Routes[0].Metric = -1 }, func(c *conf.Config) { c.Routes[0].Metric = 1 << 15 }},
		"MTU":    {func(c *conf.Config) { c.Routes[0].MTU = 1 << 16 }},

		"VRID":      {func(c *conf.Config) { c.Routers[0].VRID = 0 }},
		"interface": {func(c *conf.Config) { c.Routers[0].Interface = "lo" }, func(c *conf.Config) { c.Routers[0].Interface = "$(reboot)" }},
		"version":   {func(c *conf.Config) { c.Routers[0].Version = 4 }, func(c *conf.Config) { c.Routers[1].Version = 2 }},
		"migration": {func(c *conf.Config) { c.Routers[0].Migration = true }, func(c *conf.Config) { c.Routers[1].Migration = true }},
		"checksum": {
			func(c *conf.Config) { c.Routers[3].Checksum = "" },
			func(c *conf.Config) { c.Routers[0].Checksum = conf.RFC5798 },
			func(c *conf.Config) { c.Routers[1].Checksum = conf.ChecksumAuto },
		},
		"priority":          {func(c *conf.Config) { c.Routers[0].Priority = 0 }},
		"owner":             {func(c *conf.Config) { c.Routers[0].Owner = 3 }},
		"first address":     {func(c *conf.Config) { c.Routers[1].Addresses[0].Addr = addr("2001:db8::7") }},
		"derived address":   {func(c *conf.Config) { c.Routers[0].DerivedLinkLocal = true }},
		"number of address": {func(c *conf.Config) { c.Routers[0].Addresses = nil }, func(c *conf.Config) { c.Routers[0].Addresses = make([]conf.Address, 256) }},
		"address is out": {
			func(c *conf.Config) { c.Routers[0].Addresses[1].Addr = netip.Addr{} },
			func(c *conf.Config) { c.Routers[0].Addresses[1].Addr = addr("127.0.0.1") },
			func(c *conf.Config) { c.Routers[0].Addresses[1].Addr = addr("255.255.255.255") },
			func(c *conf.Config) { c.Routers[0].Addresses[1].Addr = addr("2001:db8::7") },
			func(c *conf.Config) { c.Routers[0].Addresses[0].Addr = addr("192.0.2.255") },
			func(c *conf.Config) { c.Routers[0].Addresses[0].Addr = addr("0.1.2.3") },
			func(c *conf.Config) { c.Routers[1].Addresses[1].Addr = addr("::ffff:192.0.2.1") },
			func(c *conf.Config) { c.Routers[1].Addresses[1].Addr = addr("fe80::7%eth0") },
			func(c *conf.Config) { c.Routers[0].Addresses[0].Bits = 33 },
			func(c *conf.Config) { c.Routers[0].Addresses[0].Bits = -1 },
		},
		"interval": {
			func(c *conf.Config) { c.Routers[0].AdverInterval = 1500 * time.Millisecond },
			func(c *conf.Config) { c.Routers[0].AdverInterval = 256 * time.Second },
			func(c *conf.Config) { c.Routers[1].AdverInterval = 0 },
			func(c *conf.Config) { c.Routers[1].AdverInterval = 41 * time.Second },
			func(c *conf.Config) { c.Routers[1].AdverInterval = time.Second + 1 },
		},
		"preempt_delay": {
			func(c *conf.Config) { c.Routers[0].PreemptDelay = -time.Second },
			func(c *conf.Config) { c.Routers[0].PreemptDelay = 1001 * time.Second },
			func(c *conf.Config) { c.Routers[0].PreemptMode = false },
			func(c *conf.Config) { c.Routers[0].Priority = 255 },
		},
		"startup_delay":             {func(c *conf.Config) { c.Routers[0].StartupDelay = 1 }},
		"link_up_delay":             {func(c *conf.Config) { c.Routers[0].LinkUpDelay = 2000 * time.Second }},
		"number of announcements":   {func(c *conf.Config) { c.Routers[0].Announcements.Repeat = 21 }, func(c *conf.Config) { c.Routers[0].Announcements.Repeat = 0 }},
		"delay of announcements":    {func(c *conf.Config) { c.Routers[0].Announcements.Delay = 256 * time.Second }},
		"refresh of announcements":  {func(c *conf.Config) { c.Routers[0].Announcements.Refresh = -time.Second }},
		"interval of announcements": {func(c *conf.Config) { c.Routers[0].Announcements.Interval = 2 * time.Second }},

		"iftype":          {func(c *conf.Config) { c.Routers[0].InterfaceType = "ipvlan" }},
		"vifname":         {func(c *conf.Config) { c.Routers[0].DeviceName = "" }, func(c *conf.Config) { c.Routers[1].DeviceName = "v1" }},
		"default vifname": {func(c *conf.Config) { c.Routers[1].DefaultDevice = true }},
		"ether_mac":       {func(c *conf.Config) { c.Routers[0].EtherMAC = true }},
		"netdrv": {
			func(c *conf.Config) { c.Routers[0].IOCTL = true },
			func(c *conf.Config) { c.Routers[1].IOCTL = true },
			func(c *conf.Config) { c.Routers[2].Interface = "enp0s31f6" },
		},
		"auth_type": {
			func(c *conf.Config) { c.Routers[0].Auth = "md5" },
			func(c *conf.Config) { c.Routers[3].Auth = conf.AuthP0 },
		},
		"auth_secret": {
			func(c *conf.Config) { c.Routers[0].Secret = make([]byte, conf.MaxSecret+1) },
			func(c *conf.Config) { c.Routers[3].Secret = []byte("x") },
		},
		"place of auth_secret": {
			func(c *conf.Config) { c.Routers[0].SecretSource = "/etc/shadow" },
			func(c *conf.Config) { c.Routers[0].SecretSource = "file:shadow" },
			func(c *conf.Config) { c.Routers[0].SecretSource = "credential:../shadow" },
			func(c *conf.Config) { c.Routers[3].SecretSource = "file:/etc/key" },
		},
		"hmac":        {func(c *conf.Config) { c.Routers[1].HMAC = nil }, func(c *conf.Config) { c.Routers[3].HMAC = &conf.HMAC{} }},
		"id of a key": {func(c *conf.Config) { c.Routers[1].HMAC.Keys[0].ID = 0 }, func(c *conf.Config) { c.Routers[1].HMAC.Keys[1].ID = 1 }},
		"key is out":  {func(c *conf.Config) { c.Routers[1].HMAC.Keys[0].Value = make([]byte, 31) }, func(c *conf.Config) { c.Routers[1].HMAC.Keys[0].Value = make([]byte, 65) }},
		"place of a":  {func(c *conf.Config) { c.Routers[1].HMAC.Keys[0].Source = "file:" }},
		"active_key":  {func(c *conf.Config) { c.Routers[1].HMAC.ActiveKey = 3 }, func(c *conf.Config) { c.Routers[1].HMAC.Keys = nil }},
		"anti_replay": {func(c *conf.Config) { c.Routers[1].HMAC.AntiReplay = "" }},
		"time_window": {func(c *conf.Config) { c.Routers[1].HMAC.Window = 301 * time.Second }},
		"mode":        {func(c *conf.Config) { c.Routers[1].HMAC.Mode = "off" }},
		"there twice": {
			func(c *conf.Config) { c.Routers[3].Interface, c.Routers[3].VRID = "eth2", 9 },
			func(c *conf.Config) { c.Routers[3].Interface, c.Routers[3].Addresses = "eth2", c.Routers[2].Addresses },
			func(c *conf.Config) { c.Routers[0].DeviceName = "eth1" },
			func(c *conf.Config) {
				c.Routers[3].InterfaceType, c.Routers[3].EtherMAC, c.Routers[3].DeviceName = conf.MACVLAN, false, "standby7"
			},
			func(c *conf.Config) { c.Routers[2].EtherMAC, c.Routers[3].Interface = true, "eth2" },
		},
	} {
		for i, spoil := range spoilers {
			c, err := source.Parse("f", []byte(good), conf.TOML)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
			spoil(c)
			if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %d: %v", want, i, err)
			}
		}
	}
}
