package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/plan"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// TestPlan: what a reload does to each virtual router, told without a secret.
func TestPlan(t *testing.T) {
	t.Parallel()
	const hmac = "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"KEY\"\n"
	read := func(text string) *conf.Config {
		text = strings.ReplaceAll(text, "KEY", strings.Repeat("k", 40))
		c, err := source.Parse("f", []byte(text), conf.TOML)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return c
	}
	router := func(vrid, rest string) string {
		return "[[vrouter]]\ninterface = \"eth0\"\ngroup = " + vrid + "\nvip = [\"192.0.2." + vrid + "\", \"192.0.2.10" + vrid + "\"]\n" + rest + "\n"
	}
	twice := func(interfaces ...string) (text string) { // one VRID on several
		for _, iface := range interfaces {
			text += "[[vrouter]]\ninterface = \"" + iface + "\"\ngroup = 7\nvip = \"192.0.2.7" + iface[3:] + "\"\niftype = \"macvlan\"\n"
		}
		return text
	}
	const agree, second = ", (the other routers must agree, or drop what it says)", "[[vrouter.hmac.key]]\nid = 2\nvalue = \"KEYz\"\n"
	mode := func(mode string) string {
		return strings.Replace(hmac, "active_key = 1\n", "active_key = 1\nmode = \""+mode+"\"\n", 1)
	}
	for _, tt := range []struct{ name, old, next, want string }{
		{"nothing", router("7", ""), "debug = 0\n" + router("7", "priority = 100"), "eth0/7/ipv4 unchanged"},
		{"priority", router("7", ""), router("7", "priority = 150"), "eth0/7/ipv4 updated: priority = 100 -> 150"},
		{"address", router("7", "version = 3"), strings.Replace(router("7", "version = 3"), "192.0.2.107", "192.0.2.8", 1),
			`eth0/7/ipv4 updated: vip = ["192.0.2.7","192.0.2.107",] -> ["192.0.2.7","192.0.2.8",]`},
		{"interval of version 2", router("7", ""), router("7", "timers = { advert = 2 }"),
			"eth0/7/ipv4 updated: timers = { advert = 1 } -> { advert = 2 }, (the other routers must agree, or drop what it says)"},
		{"device", router("7", ""), router("7", "iftype = \"macvlan\""), `eth0/7/ipv4 moved: iftype = "ether" -> "macvlan", vifname = "standby7"`},
		{"in front", twice("eth0", "eth1"), twice("eth2", "eth0", "eth1"), "eth2/7/ipv4 new; eth0/7/ipv4 unchanged; eth1/7/ipv4 unchanged"},
		{"name taken", twice("eth0"), twice("eth0") + router("8", "iftype = \"macvlan\"\nvifname = \"standby7\""), `eth0/7/ipv4 moved: vifname = "standby7" -> "standby7-2"; eth0/8/ipv4 new`},
		{"another VRID", router("7", "") + router("8", ""), router("9", "") + router("8", ""),
			"eth0/9/ipv4 new; eth0/8/ipv4 unchanged; eth0/7/ipv4 will fail over: it is not in the new configuration"},
		{"password", router("7", "auth_type = \"rfc2338-simple\"\nauth_secret = \"one\""), router("7", "auth_type = \"rfc2338-simple\"\nauth_secret = \"two\""),
			"eth0/7/ipv4 updated: auth_secret" + agree},
		{"version", router("7", ""), router("7", "version = 3"), `eth0/7/ipv4 updated: checksum = "auto", version = 2 -> 3` + agree},
		{"version for a migration", router("7", "version = 3"), router("7", "version = \"2+3\""), `eth0/7/ipv4 updated: version = 3 -> "2+3"`},
		{"interval of a migration", router("7", "version = \"2+3\""), router("7", "version = \"2+3\"\ntimers = { advert = 2 }"),
			"eth0/7/ipv4 updated: timers = { advert = 1 } -> { advert = 2 }" + agree},
		{"interval of version 3", router("7", "version = 3"), router("7", "version = 3\ntimers = { advert = 2 }"), "eth0/7/ipv4 updated: timers = { advert = 1 } -> { advert = 2 }"},
		{"kind of authentication", router("7", "auth_type = \"p0-t8-sha256\"\nauth_secret = \"one\""), router("7", "auth_type = \"p1-b8-shake256\"\nauth_secret = \"one\""),
			`eth0/7/ipv4 updated: auth_type = "p0-t8-sha256" -> "p1-b8-shake256"` + agree},
		{"HMAC that only listens", router("7", ""), router("7", mode("receive-only")),
			`eth0/7/ipv4 updated: auth_type = "none" -> "hmac", hmac.active_key = 1, hmac.anti_replay = "time", hmac.key = 1 "redacted", hmac.mode = "receive-only", hmac.time_window = 5`},
		{"HMAC at once", router("7", ""), router("7", mode("permissive")),
			`eth0/7/ipv4 updated: auth_type = "none" -> "hmac"` + agree + `, hmac.active_key = 1, hmac.anti_replay = "time", hmac.key = 1 "redacted", hmac.mode = "permissive", hmac.time_window = 5`},
		{"HMAC that signs", router("7", mode("receive-only")), router("7", mode("permissive")), `eth0/7/ipv4 updated: hmac.mode = "receive-only" -> "permissive"` + agree},
		{"HMAC that wants it", router("7", mode("permissive")), router("7", mode("enforce")), `eth0/7/ipv4 updated: hmac.mode = "permissive" -> "enforce", (it drops what the other routers do not sign)`},
		{"HMAC that relents", router("7", mode("enforce")), router("7", mode("permissive")), `eth0/7/ipv4 updated: hmac.mode = "enforce" -> "permissive"`},
		{"key", router("7", hmac), router("7", strings.Replace(hmac, "KEY", "KEYx", 1)), "eth0/7/ipv4 updated: hmac.key: other values" + agree},
		{"second key", router("7", hmac), router("7", hmac+second), `eth0/7/ipv4 updated: hmac.key = 1 "redacted" -> 1 "redacted" 2 "redacted"`},
		{"another key signs", router("7", hmac+second), router("7", strings.Replace(hmac, "active_key = 1", "active_key = 2", 1)+second), "eth0/7/ipv4 updated: hmac.active_key = 1 -> 2"},
		{"the first key goes", router("7", hmac+second), router("7", hmac), `eth0/7/ipv4 updated: hmac.key = 1 "redacted" 2 "redacted" -> 1 "redacted", (the other routers must not sign with it any more)`},
		{"same key", router("7", hmac), router("7", hmac), "eth0/7/ipv4 unchanged"},
		{"top", "debug = 1\nuser = \"a\"\npid = \"/a\"\n" + router("7", ""), "debug = 2\nuser = \"b\"\npid = \"/b\"\n" + router("7", ""),
			`eth0/7/ipv4 unchanged| debug = 1 -> 2| pid = "/a" -> "/b": has no effect before a restart| user = "a" -> "b": the reload is refused, this needs a restart`},
		{"applied", router("7", ""), "log_format = \"json\"\nlease = \"off\"\nmain_log = \"/var/log/x.log\"\nerror_log = \"x/../rvrrpd-error.log\"\nworking_dir = \"/var/log\"\n" + router("7", ""),
			`eth0/7/ipv4 unchanged| error_log = "/var/log/rvrrpd-error.log" -> "x/../rvrrpd-error.log": has no effect before a restart| lease = "auto" -> "off"| log_format = "text" -> "json"| main_log = "/var/log/rvrrpd.log" -> "/var/log/x.log"| working_dir = "/tmp" -> "/var/log": has no effect before a restart`},
		{"left", router("7", ""), "state_dir = \"/s\"\nworking_dir = \"/w\"\npid = \"p\"\nmain_log = \"/elsewhere/m\"\n" + router("7", ""),
			`eth0/7/ipv4 unchanged| main_log = "/var/log/rvrrpd.log" -> "/elsewhere/m": has no effect before a restart| pid = "/var/run/rvrrpd.pid" -> "p": has no effect before a restart| state_dir = "/var/lib/rvrrpd" -> "/s": has no effect before a restart| working_dir = "/tmp" -> "/w": has no effect before a restart`},
	} {
		effects, remarks := plan.Of(read(tt.old), read(tt.next))
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
