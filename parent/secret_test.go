package parent

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// hmacConfig has a router with keys 1 and 2, and one with a password.
func hmacConfig() *conf.Config {
	return &conf.Config{Routers: []conf.Router{
		{VRID: 1, Version: 3, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Auth: conf.AuthHMAC, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.1")}},
			HMAC: &conf.HMAC{ActiveKey: 2, AntiReplay: "monotonic", Mode: "permissive", Window: 7 * time.Second,
				Keys: []conf.Key{{ID: 1, Value: bytes.Repeat([]byte("one."), 8)}, {ID: 2, Value: bytes.Repeat([]byte("two."), 16)}}}},
		{VRID: 2, Version: 2, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Auth: conf.AuthP0, Secret: []byte("hunter2"),
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.2")}}},
		{VRID: 3, Version: 2, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Auth: conf.AuthNone,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.3")}}},
	}}
}

// TestLockAway: the secrets are moved, and wiped where they were.
func TestLockAway(t *testing.T) {
	t.Parallel()
	c := hmacConfig()
	was := [][]byte{c.Routers[0].HMAC.Keys[0].Value, c.Routers[0].HMAC.Keys[1].Value, c.Routers[1].Secret}
	v, err := lockAway(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range was {
		if len(bytes.Trim(b, "\x00")) != 0 {
			t.Errorf("secret %d is still where it was: %q", i, b)
		}
	}
	gs, _ := grants(c)
	want := []ipc.Secret{{ID: 1, Value: bytes.Repeat([]byte("one."), 8)}, {ID: 2, Value: bytes.Repeat([]byte("two."), 16)}}
	if diff := cmp.Diff(want, gs[0].secrets); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ipc.Secret{{Value: []byte("hunter2")}}, gs[1].secrets); diff != "" {
		t.Errorf("password (-want +got):\n%s", diff)
	}
	r := gs[0].record()
	if r.Auth != ipc.AuthHMAC || r.HMAC != (ipc.HMAC{ActiveKey: 2, Mode: 1, Monotonic: true, Window: 7}) {
		t.Errorf("record: %+v", r)
	}
	if r := gs[1].record(); r.Auth != ipc.AuthP0 {
		t.Errorf("record: %+v", r)
	}
	memory := v.memory
	if !bytes.Contains(memory, []byte("hunter2")) {
		t.Error("the secret is not in the vault")
	}
	v.free()
	v.free()
	if none, err := lockAway(&conf.Config{Routers: c.Routers[2:]}); err != nil || none.memory != nil {
		t.Errorf("nothing to lock away: %v, %v", none, err)
	}
}

// TestAllowTrailer: a trailer is allowed where it is configured, and none of
// another length.
func TestAllowTrailer(t *testing.T) {
	t.Parallel()
	with := append(goodMessage(), make([]byte, 28)...)
	for _, tt := range []struct {
		name string
		auth ipc.Auth
		mode uint8
		m    []byte
		ok   bool
	}{
		{"none, without", ipc.AuthNone, 0, goodMessage(), true},
		{"none, with", ipc.AuthNone, 2, with, false},
		{"receive-only, with", ipc.AuthHMAC, 0, with, false},
		{"receive-only, without", ipc.AuthHMAC, 0, goodMessage(), true},
		{"permissive, with", ipc.AuthHMAC, 1, with, true},
		{"enforce, with", ipc.AuthHMAC, 2, with, true},
		{"enforce, a byte more", ipc.AuthHMAC, 2, append(with, 0), false},
		{"enforce, a byte less", ipc.AuthHMAC, 2, with[:len(with)-1], false},
	} {
		g := testGrant()
		g.auth, g.hmac.Mode = tt.auth, tt.mode
		if err := allowMessage(&g, tt.m); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// marking is a daemon with the routers of hmacConfig.
func marking(t *testing.T, dir string) *daemon {
	t.Helper()
	d := &daemon{generation: 1, stateDir: dir}
	d.adopt(d.match(hmacConfig()))
	return d
}

// TestMarks: what the child says is kept, bounded, for the next one; of a
// slot without HMAC it may say nothing.
func TestMarks(t *testing.T) {
	t.Parallel()
	d := marking(t, "")
	for i := range 100 {
		m := ipc.Mark{Source: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), Sequence: uint64(1000 + i)}
		if i == 0 {
			m.Source = netip.Addr{}
		}
		if err := d.marked(ipc.Header{Slot: 0, Generation: 1}, m); err != nil {
			t.Fatal(err)
		}
	}
	marks := d.slots[0].marks
	if len(marks) != marksMax || marks[netip.Addr{}] != 1000 || marks[netip.MustParseAddr("10.0.1.99")] != 1099 || marks[netip.MustParseAddr("10.0.1.1")] != 0 {
		t.Errorf("%d marks: %v", len(marks), marks)
	}
	for slot, what := range map[ipc.Slot]string{1: "a password", 2: "nothing", 9: "no slot"} {
		if err := d.marked(ipc.Header{Slot: slot, Generation: 1}, ipc.Mark{}); err == nil {
			t.Errorf("mark of a slot with %s is accepted", what)
		}
	}
}

// TestState: written, and read by the next daemon; a file that others could
// have written, or that makes no sense, is refused.
func TestState(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	first := marking(t, dir)
	if err := first.readState(); err != nil {
		t.Fatal(err)
	}
	peer := netip.MustParseAddr("fe80::1")
	first.slots[0].marks[peer], first.slots[0].marks[netip.Addr{}] = 77, 1<<40
	for path, text := range first.snapshot() {
		if err := replaceFile(path, text); err != nil {
			t.Fatal(err)
		}
	}
	path := stateFile(dir, "eth0")
	read := func() (map[netip.Addr]uint64, error) {
		d := marking(t, dir)
		err := d.readState()
		return d.slots[0].marks, err
	}
	if os.Geteuid() == 0 {
		got, err := read()
		want := map[netip.Addr]uint64{peer: 77, {}: 1<<40 + stateMargin}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if err := os.Chmod(path, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "only root can write") {
		t.Errorf("a file others can write: %v", err)
	}
	if err := os.WriteFile(path, []byte("4 1 - nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil {
		t.Error("nonsense is accepted")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
}
