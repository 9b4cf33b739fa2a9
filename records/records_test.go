package records

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestSecrets: the keys and the password of a virtual router are told as its own, and how
// they are used.
func TestSecrets(t *testing.T) {
	t.Parallel()
	one, two := bytes.Repeat([]byte("one."), 8), bytes.Repeat([]byte("two."), 16)
	address := []conf.Address{{Addr: netip.MustParseAddr("10.0.0.1")}}
	for _, tt := range []struct {
		name    string
		router  conf.Router
		auth    ipc.Auth
		hmac    ipc.HMAC
		secrets []ipc.Secret
	}{
		{"keys", conf.Router{Auth: conf.AuthHMAC, HMAC: &conf.HMAC{ActiveKey: 2, AntiReplay: "monotonic", Mode: "permissive", Window: 7 * time.Second,
			Keys: []conf.Key{{ID: 1, Value: one}, {ID: 2, Value: two}}}},
			ipc.AuthHMAC, ipc.HMAC{ActiveKey: 2, Mode: 1, Monotonic: true, Window: 7}, []ipc.Secret{{ID: 1, Value: one}, {ID: 2, Value: two}}},
		{"password", conf.Router{Auth: conf.AuthP0, Secret: []byte("hunter2")}, ipc.AuthP0, ipc.HMAC{}, []ipc.Secret{{Value: []byte("hunter2")}}},
		{"no password", conf.Router{Auth: conf.AuthP1}, ipc.AuthP1, ipc.HMAC{}, nil},
		{"none", conf.Router{Auth: conf.AuthNone, Secret: []byte("hunter2")}, ipc.AuthNone, ipc.HMAC{}, nil},
	} {
		tt.router.Addresses = address
		if diff := cmp.Diff(tt.secrets, Secrets(&tt.router)); diff != "" {
			t.Errorf("%s: secrets (-want +got):\n%s", tt.name, diff)
		}
		if r := Router(&tt.router, 3); r.Auth != tt.auth || r.HMAC != tt.hmac || r.Link != 3 {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

// TestLinks: an interface has a link for each family that is spoken on it, in the order
// of the virtual routers.
func TestLinks(t *testing.T) {
	t.Parallel()
	on := func(iface, address string) conf.Router {
		return conf.Router{Interface: iface, Addresses: []conf.Address{{Addr: netip.MustParseAddr(address)}}}
	}
	links, of := Links(&conf.Config{Routers: []conf.Router{on("eth1", "10.0.0.1"), on("eth0", "fe80::1"), on("eth1", "10.0.0.2"), on("eth1", "fe80::2")}})
	if diff := cmp.Diff([]Link{{"eth1", ipc.IPv4}, {"eth0", ipc.IPv6}, {"eth1", ipc.IPv6}}, links); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]ipc.Link{0, 1, 0, 2}, of); diff != "" {
		t.Error(diff)
	}
}
