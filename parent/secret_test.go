package parent

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
