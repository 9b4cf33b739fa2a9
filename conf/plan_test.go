package conf_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
)

// TestPlan: what a reload does to each virtual router, told without a secret.
func TestPlan(t *testing.T) {
	t.Parallel()
	const hmac = "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"KEY\"\n"
	read := func(text string) *conf.Config {
		text = strings.ReplaceAll(text, "KEY", strings.Repeat("k", 40))
		c, err := conf.Parse("f", []byte(text), conf.TOML)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return c
	}
	router := func(vrid, rest string) string {
		return "[[vrouter]]\ninterface = \"eth0\"\ngroup = " + vrid + "\nvip = [\"192.0.2." + vrid + "\", \"192.0.2.10" + vrid + "\"]\n" + rest + "\n"
	}
	for _, tt := range []struct{ name, old, next, want string }{
		{"nothing", router("7", ""), "debug = 0\n" + router("7", "priority = 100"), "eth0/7/ipv4 unchanged"},
		{"priority", router("7", ""), router("7", "priority = 150"), "eth0/7/ipv4 updated: priority = 100 -> 150"},
		{"address", router("7", "version = 3"), strings.Replace(router("7", "version = 3"), "192.0.2.107", "192.0.2.8", 1),
			`eth0/7/ipv4 updated: vip = ["192.0.2.7","192.0.2.107",] -> ["192.0.2.7","192.0.2.8",]`},
		{"interval of version 2", router("7", ""), router("7", "timers = { advert = 2 }"),
			"eth0/7/ipv4 updated: timers = { advert = 1 } -> { advert = 2 }, (the other routers must agree, or drop what it says)"},
		{"device", router("7", ""), router("7", "iftype = \"macvlan\""), `eth0/7/ipv4 moved: iftype = "ether" -> "macvlan", vifname = "standby7"`},
		{"another VRID", router("7", "") + router("8", ""), router("9", "") + router("8", ""),
			"eth0/9/ipv4 new; eth0/8/ipv4 unchanged; eth0/7/ipv4 will fail over: it is not in the new configuration"},
		{"password", router("7", "auth_type = \"rfc2338-simple\"\nauth_secret = \"one\""), router("7", "auth_type = \"rfc2338-simple\"\nauth_secret = \"two\""),
			"eth0/7/ipv4 updated: auth_secret"},
		{"key", router("7", hmac), router("7", strings.Replace(hmac, "KEY", "KEYx", 1)), "eth0/7/ipv4 updated: hmac.key: other values"},
		{"same key", router("7", hmac), router("7", hmac), "eth0/7/ipv4 unchanged"},
		{"top", "debug = 1\nuser = \"a\"\npid = \"/a\"\n" + router("7", ""), "debug = 2\nuser = \"b\"\npid = \"/b\"\n" + router("7", ""),
			`eth0/7/ipv4 unchanged| debug = 1 -> 2| pid = "/a" -> "/b": without effect until a restart| user = "a" -> "b": the reload is refused, this needs a restart`},
	} {
		effects, remarks := conf.Plan(read(tt.old), read(tt.next))
		var lines []string
		for _, e := range effects {
			line := e.Router + " " + string(e.Kind)
			if len(e.Changes) > 0 {
				line += ": " + strings.Join(e.Changes, ", ")
			}
			lines = append(lines, line)
		}
		got := strings.Join(append([]string{strings.Join(lines, "; ")}, remarks...), "| ")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if strings.Contains(got, "kkk") || strings.Contains(got, "two") {
			t.Errorf("%s: a secret in %s", tt.name, got)
		}
	}
}
