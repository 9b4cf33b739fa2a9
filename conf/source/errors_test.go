package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

const (
	device = `1 to 15 letters, digits, '.', '_', '@' and '-'; not ".", "..", "all", "default", "lo"`
	vips   = `unicast addresses of one family, each with or without a prefix length, as in "192.0.2.1/24" or "2001:db8::1/64"`
	path   = `a path, relative to working_dir unless it begins with /`
	users  = `a user other than root, of letters, digits, '_', '-' and '.', or by numbers as in "65534:65534"; "" for rvrrpd, or nobody where that does not exist`
)

// Each line is added to the least configuration, at the top of the file.
func TestGlobalErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, line, want string }{
		{"debug below", `debug = -1`, `debug: -1 is out of range; accepted: 0..5`},
		{"debug of wrong type", `debug = "5"`, `debug: is a string; accepted: an integer 0..5`},
		{"debug of float", `debug = 1.0`, `debug: is a float; accepted: an integer 0..5`},
		{"debug of date", `debug = 2024-01-01`, `debug: is a date or time; accepted: an integer 0..5`},
		{"time_zone unknown", `time_zone = "UTC"`, `time_zone: "UTC" is not a valid value; accepted: "local", "utc"`},
		{"client_api of wrong type", `client_api = true`, `client_api: is a boolean; accepted: a string: any text`},
		{"pid empty", `pid = ""`, `pid: "" is not valid; accepted: ` + path},
		{"main_log with control character", `main_log = "/a\nb"`, `main_log: "/a\nb" is not valid; accepted: ` + path},
		{"working_dir relative", `working_dir = "tmp"`, `working_dir: "tmp" is not valid; accepted: a path that begins with /`},
		{"user root", `user = "root"`, `user: "root" is not valid; accepted: ` + users},
		{"user with space", `user = "a b"`, `user: "a b" is not valid; accepted: ` + users},
		{"user with dash first", `user = "-r"`, `user: "-r" is not valid; accepted: ` + users},
		{"user a number", `user = "0"`, `user: "0" is not valid; accepted: ` + users},
		{"group a 0", `user = "65534:0"`, `user: "65534:0" is not valid; accepted: ` + users},
		{"user a sum", `user = "+1"`, `user: "+1" is not valid; accepted: ` + users},
		{"user without a number", `user = "1:"`, `user: "1:" is not valid; accepted: ` + users},
		{"user beyond", `user = "4294967295"`, `user: "4294967295" is not valid; accepted: ` + users},
		{"user of wrong type", `user = 0`, `user: is an integer; accepted: a string: ` + users},
		{"user too long", `user = "` + strings.Repeat("a", 100) + `"`, `user: "` + strings.Repeat("a", 64) + `…" is not valid; accepted: ` + users},
		{"quoted unknown key", `"a b\u001b" = 1`, `"a b\x1b": unknown key; accepted: debug, time_zone, time_format, log_format, pid, working_dir, main_log, error_log, user, state_dir, lease, insecure_secrets, client_api, verbose, vrouter, protocols, api`},
		{"empty unknown key", `protocols."" = 1`, `protocols."": unknown key; accepted: static`},
		{"key of a router", `priority = 1`, `priority: unknown key; accepted: priority in [[vrouter]]`},
		{"protocols of wrong type", `protocols = 1`, `protocols: is an integer; accepted: a table [protocols]`},
		{"static of wrong type", `protocols.static = [1]`, `protocols.static[1]: is an integer; accepted: one or more [[protocols.static]]`},
		{"static as a table", `protocols.static = {}`, `protocols.static: is a table; accepted: one or more [[protocols.static]]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, test.line+"\n"+least, conf.TOML, "f:1: "+test.want)
		})
	}
}

// Each line is added to the least configuration, on line 5.
func TestRouterErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, line, want string }{
		{"priority 0", `priority = 0`, `priority: 0 is out of range; accepted: 1..255`},
		{"priority 256", `priority = 256`, `priority: 256 is out of range; accepted: 1..255`},
		{"preempt_delay without preemption", `preempt_delay = 5`, `preempt_delay: 5 has no meaning with preemption = false; accepted: 0, or preemption = true`},
		{"preempt_delay of the owner", "preempt_delay = 5\npriority = 255\npreemption = true", `preempt_delay: 5 has no meaning with priority = 255, for the owner of the addresses takes over at once; accepted: 0`},
		{"preempt_delay too long", "preempt_delay = 1000.01\npreemption = true", `preempt_delay: 1000.01 is out of range; accepted: 0..1000 in steps of 0.01`},
		{"startup_delay too long", `startup_delay = 1001`, `startup_delay: 1001 is out of range; accepted: 0..1000 in steps of 0.01`},
		{"startup_delay too fine", `startup_delay = 0.005`, `startup_delay: 0.005 is not a valid value; accepted: 0..1000 in steps of 0.01`},
		{"startup_delay negative", `startup_delay = -1`, `startup_delay: -1 is not a valid value; accepted: 0..1000 in steps of 0.01`},
		{"accept_mode of wrong type", `accept_mode = "yes"`, `accept_mode: is a string; accepted: true, false`},
		{"owner of another word", `owner = "no"`, `owner: "no" is not a valid value; accepted: "auto", true, false`},
		{"owner as text", `owner = "true"`, `owner: "true" is not a valid value; accepted: "auto", true, false`},
		{"strict of wrong type", `strict = 1`, `strict: is an integer; accepted: true, false`},
		{"advert of 40.96 s in migration mode", "timers.advert = 40.96\nversion = \"2+3\"", `timers.advert: 40.96 is out of range; accepted: 0.01..40.95, with version = 3`},
		{"preemption of wrong type", `preemption = 1`, `preemption: is an integer; accepted: true, false`},
		{"timers of wrong type", `timers = 1`, `timers: is an integer; accepted: a table [vrouter.timers]`},
		{"advert 256", `timers = { advert = 256 }`, `timers.advert: 256 is out of range; accepted: 1..255 in whole seconds, with version = 2`},
		{"advert of a fraction", `timers.advert = 0.5`, `timers.advert: 0.5 is out of range; accepted: 1..255 in whole seconds, with version = 2`},
		{"unknown timer", `timers = { adverts = 1 }`, `timers.adverts: unknown key; did you mean advert?`},
		{"dot in a quoted key", `"timers.advert" = 1`, `"timers.advert": unknown key; accepted: group, interface, vip, version, checksum, priority, owner, preemption, preempt_delay, startup_delay, link_up_delay, accept_mode, strict, timers, garp, na, iftype, vifname, ether_mac, netdrv, socket_filter, rfc3768, auth_type, auth_secret, hmac`},
		{"iftype unknown", `iftype = "MACVLAN"`, `iftype: "MACVLAN" is not a valid value; accepted: "ether", "macvlan"`},
		{"vifname too long", `vifname = "0123456789abcdef"`, `vifname: "0123456789abcdef" is not valid; accepted: ` + device},
		{"netdrv unknown", `netdrv = "netlink"`, `netdrv: "netlink" is not a valid value; accepted: "libnl", "ioctl", "ioctls"`},
		{"socket_filter of wrong type", `socket_filter = "true"`, `socket_filter: is a string; accepted: true, false`},
		{"rfc3768 of wrong type", `rfc3768 = "true"`, `rfc3768: is a string; accepted: true, false`},
		{"advert of 1.5 s in version 2", `timers.advert = 1.5`, `timers.advert: 1.5 is not a whole number; accepted: 1..255 in whole seconds, with version = 2`},
		{"advert of text", `timers.advert = "1"`, `timers.advert: is a string; accepted: 1..255 in whole seconds with version = 2; 0.01..40.95 in steps of 0.01 with version = 3 and "2+3"`},
		{"advert too long for version 3", "timers.advert = 40.96\nversion = 3", `timers.advert: 40.96 is out of range; accepted: 0.01..40.95, with version = 3`},
		{"advert of 0 in version 3", "timers.advert = 0.00\nversion = 3", `timers.advert: 0 is out of range; accepted: 0.01..40.95, with version = 3`},
		{"checksum in version 2", `checksum = "rfc5798"`, `checksum: has no meaning with version = 2; accepted: checksum with version = 3`},
		{"checksum unknown", `checksum = "crc32"`, `checksum: "crc32" is not a valid value; accepted: "auto", "rfc9568", "rfc5798"`},
		{"advert too fine", "timers.advert = 0.015\nversion = 3", `timers.advert: 0.015 is not a valid value; accepted: 1..255 in whole seconds with version = 2; 0.01..40.95 in steps of 0.01 with version = 3 and "2+3"`},
		{"version unknown", `version = 4`, `version: 4 is not a valid value; accepted: 2, 3, "2+3"`},
		{"auth_type unknown", `auth_type = "simple"`, `auth_type: "simple" is not a valid value; accepted: "none", "rfc2338-simple", "p0-t8-sha256", "p1-b8-shake256", "p1-t8-shake256", "hmac", 0`},
		{"auth_type of another number", `auth_type = 1`, `auth_type: 1 is not a valid value; accepted: "none", "rfc2338-simple", "p0-t8-sha256", "p1-b8-shake256", "p1-t8-shake256", "hmac", 0`},
		{"auth_secret with none", "auth_secret = \"hunter2\"\nauth_type = \"none\"", `auth_secret: has no meaning with auth_type = "none"; accepted: auth_secret with "rfc2338-simple", "p0-t8-sha256" and "p1-b8-shake256"`},
		{"auth_secret too long", `auth_secret = "` + strings.Repeat("x", 4097) + `"`, `auth_secret: has 4097 bytes; accepted: up to 4096 bytes, "file:" and a path that begins with /, or "credential:" and a name`},
		{"auth_secret as printed", `auth_secret = "redacted"`, `auth_secret: is what is printed in the place of a secret, and none; accepted: up to 4096 bytes, "file:" and a path that begins with /, or "credential:" and a name`},
		{"auth_secret of wrong type", `auth_secret = 4242`, `auth_secret: is an integer; accepted: a string: up to 4096 bytes, "file:" and a path that begins with /, or "credential:" and a name`},
		{"auth_secret in a relative file", `auth_secret = "file:key"`, `auth_secret: is no full path; accepted: up to 4096 bytes, "file:" and a path that begins with /, or "credential:" and a name`},
		{"auth_secret in a credential with a path", `auth_secret = "credential:../shadow"`, `auth_secret: is no name of a credential; accepted: up to 4096 bytes, "file:" and a path that begins with /, or "credential:" and a name`},
		{"simple in version 3", "auth_type = \"rfc2338-simple\"\nversion = 3", `auth_type: "rfc2338-simple" authenticates version 2 alone; accepted: "none", "hmac", or version = 2`},
		{"P0 in migration mode", "auth_type = \"p0-t8-sha256\"\nversion = \"2+3\"", `auth_type: "p0-t8-sha256" authenticates version 2 alone; accepted: "none", "hmac", or version = 2`},
		{"unknown key", `vrid = 3`, `vrid: unknown key; accepted: group, interface, vip, version, checksum, priority, owner, preemption, preempt_delay, startup_delay, link_up_delay, accept_mode, strict, timers, garp, na, iftype, vifname, ether_mac, netdrv, socket_filter, rfc3768, auth_type, auth_secret, hmac`},
		{"key of the top", `debug = 3`, `debug: unknown key; accepted: debug at the top of the file, before the first table`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, least+test.line+"\n", conf.TOML, "f:5: vrouter[1]."+test.want)
		})
	}
}

// Each value stands as vip, on line 4 of the least configuration.
func TestAddressErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value, want string }{
		{"no address", `"gateway"`, `vip: "gateway" is not an IP address with or without a prefix length; accepted: ` + vips},
		{"leading zero", `"192.0.2.01"`, `vip: "192.0.2.01" is not an IP address with or without a prefix length; accepted: ` + vips},
		{"white space", `"192.0.2.1 "`, `vip: "192.0.2.1 " is not an IP address with or without a prefix length; accepted: ` + vips},
		{"prefix length 0", `"192.0.2.1/0"`, `vip: "192.0.2.1/0" has a prefix length of 0; accepted: ` + vips},
		{"prefix length 33", `"192.0.2.1/33"`, `vip: "192.0.2.1/33" is not an IP address with or without a prefix length; accepted: ` + vips},
		{"mask for a length", `"192.0.2.1/255.255.255.0"`, `vip: "192.0.2.1/255.255.255.0" is not an IP address with or without a prefix length; accepted: ` + vips},
		{"unspecified", `"0.0.0.0"`, `vip: "0.0.0.0" is an address of this network; accepted: ` + vips},
		{"loopback", `"127.0.0.1/8"`, `vip: "127.0.0.1/8" is a loopback address; accepted: ` + vips},
		{"link-local zero", `"169.254.0.0"`, `vip: "169.254.0.0" is the address of the network 169.254.0.0/16 itself; accepted: ` + vips},
		{"link-local broadcast", `"169.254.255.255"`, `vip: "169.254.255.255" is the broadcast address of 169.254.0.0/16; accepted: ` + vips},
		{"multicast", `"224.0.0.18"`, `vip: "224.0.0.18" is a multicast address; accepted: ` + vips},
		{"broadcast", `"255.255.255.255"`, `vip: "255.255.255.255" is the broadcast address; accepted: ` + vips},
		{"network", `"192.0.2.0/24"`, `vip: "192.0.2.0/24" is the address of the network 192.0.2.0/24 itself; accepted: ` + vips},
		{"broadcast of the prefix", `"192.0.2.3/30"`, `vip: "192.0.2.3/30" is the broadcast address of 192.0.2.0/30; accepted: ` + vips},
		{"wrong type", `1`, `vip: is an integer; accepted: ` + vips},
		{"wrong type in a list", `["192.0.2.1", true]`, `vip[2]: is a boolean; accepted: ` + vips},
		{"empty list", `[]`, `vip: has 0 elements; accepted: 1..255 elements`},
		{"twice", `["192.0.2.1", "192.0.2.1/24"]`, `vip[2]: 192.0.2.1 is already an address of vrouter[1] (line 4); accepted: each address once on an interface`},
		{"link-local not first", `["2001:db8::1/64", "fe80::1/64"]`, `vip[2]: "fe80::1/64" is link-local and does not stand first; accepted: a link-local address first, as version 3 wants it`},
		{"IPv4 among IPv6", `["fe80::1", "192.0.2.1"]`, `vip[2]: "192.0.2.1" is of another family than the first address; accepted: one family in a virtual router`},
		{"IPv6 twice", `["fe80::1", "fe80::1/64"]`, `vip[2]: fe80::1 is already an address of vrouter[1] (line 4); accepted: each address once on an interface`},
		{"IPv6 unspecified", `"::"`, `vip: "::" is the unspecified address; accepted: ` + vips},
		{"IPv6 loopback", `"::1"`, `vip: "::1" is a loopback address; accepted: ` + vips},
		{"IPv6 prefix length 129", `"fe80::1/129"`, `vip: "fe80::1/129" is not an IP address with or without a prefix length; accepted: ` + vips},
		{"255 IPv6 addresses and none link-local", manyIPv6(255), `vip: has 255 addresses, and a link-local one to stand first is one more; accepted: 1..255, with that one`},
		{"IPv6 among IPv4", `["192.0.2.1", "2001:db8::1"]`, `vip[2]: "2001:db8::1" is of another family than the first address; accepted: one family in a virtual router`},
		{"IPv6 with zone", `"fe80::1%eth0"`, `vip: "fe80::1%eth0" is not an IP address with or without a prefix length; accepted: ` + vips},
		{"IPv6 multicast", `"ff02::12"`, `vip: "ff02::12" is a multicast address; accepted: ` + vips},
		{"IPv4 as IPv6", `"::ffff:192.0.2.1"`, `vip: "::ffff:192.0.2.1" is an IPv4 address written as IPv6; accepted: ` + vips},
		{"256 addresses", `["` + strings.Repeat(`", "`, 255) + `"]`, `vip: has 256 elements; accepted: 1..255 elements`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, strings.Replace(least, `"192.0.2.254"`, test.value, 1), conf.TOML, "f:4: vrouter[1]."+test.want)
		})
	}
}

func TestInterfaceErrors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "a/b", "a b", "a\tb", "0123456789abcdef", "eth%d", "eth0:1", "é", "$(id)", "`id`", "a;b", "a|b", "a&b", "a>b", "a*b", "a#b", "a~b", "{a}", "all", "default", "lo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(least, `"eth0"`, `'`+name+`'`, 1)
			shown := strings.ReplaceAll(name, "\t", `\t`)
			wantErrors(t, text, conf.TOML, `f:3: vrouter[1].interface: "`+shown+`" is not valid; accepted: `+device)
		})
	}
}

// Errors that concern several routers, or the whole file.
func TestFileErrors(t *testing.T) {
	t.Parallel()
	second := strings.ReplaceAll(least, "254", "253")
	macvlan := "iftype = \"macvlan\"\n"
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{`f:1: vrouter: is missing; accepted: one or more [[vrouter]]`}},
		{"no router", "debug = 1\n", []string{`f:1: vrouter: is missing; accepted: one or more [[vrouter]]`}},
		{"empty list of routers", "debug = 1\nvrouter = []\n", []string{`f:2: vrouter: is empty; accepted: one or more [[vrouter]]`}},
		{"router as a plain table", "\n[vrouter]\ngroup = 1\n", []string{`f:2: vrouter: is a table; accepted: one or more [[vrouter]]`}},
		{"lease by lifetime below a second", "lease = \"lifetime\"\n" + least + "version = 3\ntimers.advert = 0.5\n", []string{
			`f:1: lease: "lifetime" cannot serve vrouter[1], whose interval is below a second; accepted: "auto", "nftables", "off"`}},
		{"empty router", "\n[[vrouter]]\n", []string{
			`f:2: vrouter[1].group: is missing; accepted: 1..255`,
			`f:2: vrouter[1].interface: is missing; accepted: ` + device,
			`f:2: vrouter[1].vip: is missing; accepted: ` + vips,
		}},
		{"same router twice", least + second, []string{
			`f:6: vrouter[2].group: 7 is already the IPv4 group of vrouter[1] on eth0 (line 2); accepted: each group once per interface and family`}},
		{"same router twice, address invalid", least + strings.ReplaceAll(least, "192.0.2.254", "x"), []string{
			`f:6: vrouter[2].group: 7 is already the IPv4 group of vrouter[1] on eth0 (line 2); accepted: each group once per interface and family`,
			`f:8: vrouter[2].vip: "x" is not an IP address with or without a prefix length; accepted: ` + vips}},
		{"address twice on an interface", least + strings.ReplaceAll(least, "= 7", "= 8"), []string{
			`f:8: vrouter[2].vip: 192.0.2.254 is already an address of vrouter[1] (line 4); accepted: each address once on an interface`}},
		{"vifname twice", least + macvlan + "vifname = \"v\"\n" + strings.ReplaceAll(second, "eth0", "eth1") + macvlan + "vifname = \"v\"\n", []string{
			`f:12: vrouter[2].vifname: "v" is already the vifname of vrouter[1] (line 6); accepted: a name of its own`}},
		{"vifname is an interface further down", least + macvlan + "vifname = \"eth1\"\n" + strings.ReplaceAll(second, "eth0", "eth1"), []string{
			`f:6: vrouter[1].vifname: "eth1" is already the interface of vrouter[2] (line 9); accepted: a name of its own`}},
		{"route without next hop", least + "[protocols]\n[[protocols.static]]\nroute = \"10.0.0.0\"\nmask = \"255.0.255.0\"\nmtu = 65536\n", []string{
			`f:6: protocols.static[1].nh: is missing; accepted: a unicast address of the family of the route`,
			`f:8: protocols.static[1].mask: "255.0.255.0" is not valid; accepted: an IPv4 network mask, as in "255.255.255.0"`,
			`f:9: protocols.static[1].mtu: 65536 is out of range; accepted: 0..65535`}},
		{"bad client interface", least + "[api]\nusers = [1]\ntls = 1\nhost = \"7080\"\n", []string{
			`f:6: api.users[1]: is an integer; accepted: a list of accounts as rvrrpd-pw writes them`,
			`f:7: api.tls: is an integer; accepted: true, false`,
			`f:8: api.host: "7080" is not valid; accepted: an IP address and a port, as in "0.0.0.0:7080"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, test.text, conf.TOML, test.want...)
		})
	}
}

// manyIPv6 is a list of global addresses.
func manyIPv6(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("\"2001:db8::%x\"", i+1)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// TestAddressWarnings: what works, and may not be what was meant.
func TestAddressWarnings(t *testing.T) {
	t.Parallel()
	vip := func(text string) string { return strings.Replace(least, "192.0.2.254", text, 1) }
	elsewhere := func(text string) string { return text + strings.ReplaceAll(text, "eth0", "eth1") }
	const six = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"fe80::1\"\n"
	for _, test := range []struct{ name, text, want string }{
		{"none", least, ""},
		{"a link-local address", vip("169.254.7.1"), ""},
		{"OpenStack's", vip("169.254.0.1/24"), `f:4: vrouter[1].vip: 169.254.0.1 is link-local and reserved (RFC 3927 §2.1): hosts reach it on this link alone, and some not at all`},
		{"the last of them", vip("169.254.255.1"), `f:4: vrouter[1].vip: 169.254.255.1 is link-local and reserved (RFC 3927 §2.1): hosts reach it on this link alone, and some not at all`},
		{"on two interfaces", elsewhere(least), `f:8: vrouter[2].vip: 192.0.2.254 is an address of vrouter[1] (line 4) on another interface, too: no host may see both`},
		{"IPv6 on two interfaces", elsewhere(vip("2001:db8::1")), `f:8: vrouter[2].vip: 2001:db8::1 is an address of vrouter[1] (line 4) on another interface, too: no host may see both`},
		{"link-local IPv6 on two interfaces", elsewhere(six), ""},
	} {
		c, err := source.Parse("f", []byte(test.text), conf.TOML)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := column.ReplaceAllString(strings.Join(c.Warnings, "\n"), "$1"); got != test.want {
			t.Errorf("%s: warnings\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// Errors of version and checksum with IPv6 addresses.
func TestIPv6Errors(t *testing.T) {
	t.Parallel()
	const six = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"fe80::1\"\n"
	for _, test := range []struct{ name, text, want string }{
		{"version 2", six + "version = 2\n", `f:5: vrouter[1].version: 2 has no meaning with IPv6 addresses; accepted: 3`},
		{"migration", six + "version = \"2+3\"\n", `f:5: vrouter[1].version: "2+3" has no meaning with IPv6 addresses; accepted: 3`},
		{"checksum", six + "checksum = \"rfc9568\"\n", `f:5: vrouter[1].checksum: has no meaning with IPv6 addresses, where it always covers the pseudo-header; accepted: checksum with IPv4 addresses and version = 3`},
		{"advert", six + "timers.advert = 41\n", `f:5: vrouter[1].timers.advert: 41 is out of range; accepted: 0.01..40.95, with version = 3`},
		{"the same VRID twice", six + "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"fe80::2\"\n", `f:6: vrouter[2].group: 7 is already the IPv6 group of vrouter[1] on eth0 (line 2); accepted: each group once per interface and family`},
		{"link-local twice on an interface", six + "[[vrouter]]\ngroup = 8\ninterface = \"eth0\"\nvip = \"fe80::1\"\n", `f:8: vrouter[2].vip: fe80::1 is already an address of vrouter[1] (line 4); accepted: each address once on an interface`},
		{"derived, and given to another", "[[vrouter]]\ngroup = 8\ninterface = \"eth0\"\nvip = \"fe80::5e00:207\"\n[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"2001:db8::1\"\n",
			`f:8: vrouter[2].vip: fe80::5e00:207 is already an address of vrouter[1] (line 4); accepted: each address once on an interface`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, test.text, conf.TOML, test.want)
		})
	}
}

// TestCause: an error that comes from the system still is that one.
func TestCause(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "conf")
	text := "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\nauth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"file:/nonexistent/key\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Load(file, conf.TOML); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "vrouter[1].hmac.key[1].value") {
		t.Errorf("%v", err)
	}
}
