package parent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestConflicts: a setting in the way is found in its family, with the
// command that puts it right; without IPv6 in the kernel there is none.
func TestConflicts(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	set := func(path, value string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := func(family ipc.Family) (out []string) {
		for _, c := range conflictsIn(root, family) {
			out = append(out, c.command)
		}
		return out
	}
	set("net/ipv4/ip_forward", "1")
	set("net/ipv4/conf/all/arp_ignore", "1")
	set("net/ipv4/conf/all/arp_filter", "0")
	if got := append(commands(ipc.IPv4), commands(ipc.IPv6)...); len(got) != 0 {
		t.Errorf("nothing is in the way: %q", got)
	}
	set("net/ipv4/ip_forward", "0")
	set("net/ipv4/conf/all/arp_ignore", "8")
	set("net/ipv4/conf/all/arp_filter", "1")
	set("net/ipv6/conf/all/forwarding", "0")
	want := []string{"sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv4.conf.all.arp_ignore=1", "sysctl -w net.ipv4.conf.all.arp_filter=0"}
	if got := commands(ipc.IPv4); !slices.Equal(got, want) {
		t.Errorf("IPv4: %q", got)
	}
	if got := commands(ipc.IPv6); !slices.Equal(got, []string{"sysctl -w net.ipv6.conf.all.forwarding=1"}) {
		t.Errorf("IPv6: %q", got)
	}
}
