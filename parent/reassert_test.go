package parent

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestUnbidden: nobody else is blamed for what the kernel has removed because
// of us.
func TestUnbidden(t *testing.T) {
	t.Parallel()
	a := netip.MustParsePrefix("10.0.0.254/24")
	for _, tt := range []struct {
		name     string
		present  bool
		outlived bool
		along    []placed
		want     string
	}{
		{"it is there", true, true, nil, ""},
		{"removed", false, false, nil, ""},
		{"its lifetime has ended", false, true, nil, "lifetime"},
		{"with another", false, false, []placed{{3, a}}, "another address of their subnet"},
		{"another went so", false, false, []placed{{4, a}}, ""},
	} {
		d := &daemon{observing: observing{along: tt.along}}
		s := &slot{page: page{grant: grant{interval: time.Second}, index: 3, held: true, placed: []vaddr{{Prefix: a}}}, outlived: tt.outlived}
		got := d.unbidden(s, map[on]bool{{3, a.Addr()}: tt.present})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestRepairRate: what is removed a hundred times in ten seconds is told of
// five times, and then once every ten seconds.
func TestRepairRate(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	d := &daemon{keeper: unread(), broker: broker{log: slog.New(slog.NewTextHandler(&said, nil))}}
	s := &slot{repairs: repairRate}
	for i := range 301 {
		d.now = int64(i) * int64(100*time.Millisecond)
		d.tellRepair(s, true, 1, nil)
	}
	if n := strings.Count(said.String(), "put back"); n != 8 || !strings.Contains(said.String(), "times=301") {
		t.Errorf("%d lines, want 8, with times=301:\n%s", n, said.String())
	}
}
