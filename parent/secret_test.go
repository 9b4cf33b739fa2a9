package parent

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
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
		g.told.Auth, g.told.HMAC.Mode = tt.auth, tt.mode
		if err := allowMessage(&g, tt.m); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestSecretsAfterVerification: a network process whose walls do not stand is
// told nothing, and one whose walls do, the secrets of its virtual routers.
func TestSecretsAfterVerification(t *testing.T) {
	t.Parallel()
	for problem, want := range map[string]int{"": 3, "no landlock": 0} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		answer := make([]byte, 9)
		if problem != "" {
			answer = append(binary.NativeEndian.AppendUint32(answer[:5], uint32(unix.EPERM)), problem...)
		}
		answer[0] = 1 // the first request
		if _, err := unix.Write(pair[1], answer); err != nil {
			t.Fatal(err)
		}
		d := remembering(t, "monotonic")
		d.log, d.spawner, d.child = slog.New(slog.DiscardHandler), children.Over(pair[0], nil), &child{Child: &children.Child{}, phase: ipc.PhaseHello}
		if err := d.greet(ipc.Hello{Build: ipc.Build()}); (err != nil) != (problem != "") {
			t.Errorf("%q: %v", problem, err)
		}
		got := 0
		if err := d.outgoing.Flush(func(b []byte) error {
			for _, secret := range []string{strings.Repeat("one.", 8), strings.Repeat("two.", 16), "hunter2"} {
				got += bytes.Count(b, []byte(secret))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q: %d secrets told, want %d", problem, got, want)
		}
	}
}
