package source_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// parsed is the routers of a valid text.
func parsed(t *testing.T, text string) []conf.Router {
	t.Helper()
	c, err := source.Parse("f", []byte(text), conf.TOML)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c.Routers
}

const six = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\n"

// TestIPv6: version 3 is the default, and a link-local address stands first.
func TestIPv6(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, vip string
		want      []conf.Address
		derived   bool
	}{
		{"link-local alone", `"fe80::1"`, []conf.Address{address("fe80::1", 0)}, false},
		{"link-local given", `["fe80::1/64", "2001:db8::1/64", "fe80::2"]`, []conf.Address{address("fe80::1", 64), address("2001:db8::1", 64), address("fe80::2", 0)}, false},
		{"derived", `"2001:db8::1/64"`, []conf.Address{address("fe80::5e00:207", 64), address("2001:db8::1", 64)}, true},
		{"254 and a derived one", manyIPv6(254), nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := parsed(t, six+"vip = "+test.vip+"\n")[0]
			if r.Version != 3 || r.DerivedLinkLocal != test.derived || r.Addresses[0].Addr.Is4() {
				t.Errorf("version %d, derived %v: %v", r.Version, r.DerivedLinkLocal, r.Addresses)
			}
			if diff := cmp.Diff(test.want, r.Addresses, addr); test.want != nil && diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
			if test.want == nil && len(r.Addresses) != 255 {
				t.Errorf("%d addresses", len(r.Addresses))
			}
		})
	}
}

// TestSameVRID: on another interface, and in the other family, the same VRID
// and the same link-local address are other ones, with devices of their own.
func TestSameVRID(t *testing.T) {
	t.Parallel()
	var text string
	for _, iface := range []string{"eth0", "eth1"} {
		text += fmt.Sprintf("[[vrouter]]\ngroup = 255\ninterface = %q\nvip = \"192.0.2.%d\"\niftype = \"macvlan\"\n", iface, len(text)+1)
		text += fmt.Sprintf("[[vrouter]]\ngroup = 255\ninterface = %q\nvip = \"2001:db8::%d\"\niftype = \"macvlan\"\n", iface, len(text)+1)
	}
	names := map[string]bool{}
	for i, r := range parsed(t, text) {
		if len(r.DeviceName) == 0 || len(r.DeviceName) > 15 || names[r.DeviceName] {
			t.Errorf("router %d: device %q", i, r.DeviceName)
		}
		names[r.DeviceName] = true
	}
}

// TestStrict: the RFC's defaults, for what the file does not give.
func TestStrict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text    string
		preempt bool
		accept  bool
		iftype  conf.InterfaceType
	}{
		{"", false, true, conf.Ether},
		{"strict = false\n", false, true, conf.Ether},
		{"strict = true\n", true, false, conf.MACVLAN},
		{"strict = true\npreemption = false\n", false, false, conf.MACVLAN},
		{"strict = true\naccept_mode = true\n", true, true, conf.MACVLAN},
		{"strict = true\niftype = \"ether\"\n", true, false, conf.Ether},
		{"accept_mode = false\n", false, false, conf.Ether},
	} {
		r := parsed(t, least+test.text)[0]
		if r.PreemptMode != test.preempt || r.AcceptMode != test.accept || r.InterfaceType != test.iftype {
			t.Errorf("%q: preemption %v, accept %v, iftype %s", test.text, r.PreemptMode, r.AcceptMode, r.InterfaceType)
		}
	}
}

// TestOwner: whose the addresses are that the interface itself has.
func TestOwner(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]conf.Owner{
		"": conf.OwnerAuto, "owner = \"auto\"\n": conf.OwnerAuto, "owner = true\n": conf.OwnerTrue, "owner = false\n": conf.OwnerFalse,
	} {
		if got := parsed(t, least+text)[0].Owner; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestDelaysAndVersions(t *testing.T) {
	t.Parallel()
	r := parsed(t, least+"preemption = true\npreempt_delay = 300\nstartup_delay = 12.5\nversion = \"2+3\"\nchecksum = \"rfc5798\"\ntimers.advert = 0.25\n")[0]
	if r.PreemptDelay != 5*time.Minute || r.StartupDelay != 12500*time.Millisecond {
		t.Errorf("delays %v, %v", r.PreemptDelay, r.StartupDelay)
	}
	if r.Version != 3 || !r.Migration || r.Checksum != conf.RFC5798 || r.AdverInterval != 250*time.Millisecond {
		t.Errorf("%+v", r)
	}
	if r := parsed(t, least+"priority = 255\nstrict = true\n")[0]; r.Priority != 255 || r.Version != 2 {
		t.Errorf("owner: %+v", r)
	}
}

// TestExampleInComments: what the example has commented out is right, too.
func TestExampleInComments(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../rvrrpd.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^#([a-z\[])`).ReplaceAllString(string(b), "$1")
	if text == string(b) || !strings.Contains(text, "\nvip = \"2001:db8") {
		t.Fatal("nothing is commented out")
	}
	if routers := parsed(t, text); len(routers) != 2 || routers[1].Version != 3 {
		t.Errorf("%+v", routers)
	}
}
