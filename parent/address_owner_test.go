package parent

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestRecognize: where the kernel does not remember whose an address is, ours
// are not put among others.
func TestRecognize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		device        string
		ioctl, marks  bool
		want, mention string
	}{
		{"on the interface", "", false, false, "vr: ", "5.18"},
		{"on the interface, the kernel remembers", "", false, true, "", ""},
		{"on the interface under a label", "", true, false, "", ""},
		{"on a device", "vrrp1", false, false, "", ""},
	} {
		d := &daemon{keeper: unread(), broker: broker{marks: tt.marks}}
		err := d.recognize([]*slot{nil, {page: page{grant: grant{name: "vr", device: tt.device, ioctl: tt.ioctl}}}})
		if (err == nil) != (tt.want == "") || err != nil && (!strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.mention)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestConcede: what somebody else has made theirs is not ours to remove. What
// they have added beside ours, with another length, leaves ours ours.
func TestConcede(t *testing.T) {
	t.Parallel()
	ours := []vaddr{{Prefix: netip.MustParsePrefix("10.9.0.253/24")}, {Prefix: netip.MustParsePrefix("10.9.0.254/24"), NoPrefixRoute: true}}
	on, above := &slot{page: page{held: true, placed: slices.Clone(ours)}}, &slot{page: page{held: true, own: true, placed: slices.Clone(ours)}}
	l := &wire{prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("10.9.0.254/32")}, pages: []*page{&on.page, &above.page}}
	l.concede()
	if !slices.Equal(on.placed, ours) {
		t.Errorf("nothing was taken over, and of %v we hold %v", ours, on.placed)
	}
	l.prefixes[1] = netip.MustParsePrefix("10.9.0.254/24")
	l.concede()
	if !slices.Equal(on.placed, ours[:1]) || !on.held {
		t.Errorf("we hold %v, want %v", on.placed, ours[:1])
	}
	if !slices.Equal(above.placed, ours) {
		t.Errorf("on a device of our own we hold %v, want %v", above.placed, ours)
	}
}
