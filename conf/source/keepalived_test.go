package source

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
)

// TestKeepalivedNames: who writes keepalived's words into our file is told
// ours.
func TestKeepalivedNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, want string }{
		{"virtual_router_id", "keepalived's name; here: group"},
		{"advert_int", "keepalived's name; here: timers = { advert = SECONDS }"},
		{"virtual_ipaddress", "keepalived's name; here: vip"},
		{"state", "keepalived's name; here: nothing, a router starts as Backup and the priority decides"},
		{"nopreempt", "keepalived's name; here: preemption = false, which is the default"},
		{"unicast_peer", "keepalived's name; here: nothing, advertisements go to the group of VRRP alone"},
		{"premption", "unknown key; did you mean preemption?"},
	} {
		_, err := Parse("f", []byte(minimal+tt.key+" = 1\n"), conf.TOML)
		if want := fmt.Sprintf("f:5:1: vrouter[1].%s: %s", tt.key, tt.want); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		_, err = Parse("f", []byte(`{"vrouter": [{"group": 7, "interface": "eth0", "vip": "192.0.2.1", "`+tt.key+`": 1}]}`), conf.JSON)
		if err == nil || !strings.HasSuffix(err.Error(), "vrouter[1]."+tt.key+": "+tt.want) {
			t.Errorf("JSON: %v", err)
		}
	}
	for name := range ofKeepalived {
		for i := range settings {
			if settings[i].name() == name {
				t.Errorf("%s is a name of ours", name)
			}
		}
	}
}

// TestKeepalivedFile: a file of keepalived's is called so, in one line, and a
// broken file of ours is not.
func TestKeepalivedFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"! a comment\nglobal_defs {\n  router_id a\n}\nvrrp_instance VI_1 {\n  state MASTER\n  authentication {\n auth_pass hunter2\n }\n}\n",
		"# a comment\nvrrp_instance VI_1\n{\n  interface eth0\n}\n",
		"\n  vrrp_script chk { script x }\n", "\nvrrp_sync_group G1 {\n", "\nvirtual_server 10.0.0.1 80 {\n",
	} {
		for _, format := range []conf.Format{conf.TOML, conf.JSON} {
			_, err := Parse("f", []byte(text), format)
			if err == nil || !strings.HasPrefix(err.Error(), "f:2: is a file of keepalived's; accepted: TOML or JSON") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", format, err)
			}
		}
	}
	for _, text := range []string{minimal + "vrrp_instance = {\n", minimal + "# vrrp_instance VI_1 {\n= 1\n", "[[vrouter]\n", minimal + "x = \"\"\"\n"} {
		if _, err := Parse("f", []byte(text), conf.TOML); err == nil || strings.Contains(err.Error(), "keepalived's; accepted") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestKeepalivedDocument: docs/keepalived.md has every word, with what is said
// of it.
func TestKeepalivedDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/keepalived.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	for name, here := range ofKeepalived {
		if !strings.Contains(string(text), "\n| `"+name+"` | "+here+" |\n") {
			t.Errorf("no row\n| `%s` | %s |", name, here)
		}
	}
	if rows != len(ofKeepalived) {
		t.Errorf("%d rows, %d words", rows, len(ofKeepalived))
	}
}
