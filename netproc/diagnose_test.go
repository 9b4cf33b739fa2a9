package netproc

import (
	"net/netip"
	"testing"

	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// TestVerdict: at a takeover, what became of the former Active.
func TestVerdict(t *testing.T) {
	t.Parallel()
	bad := good(200)
	bad.AuthType = 1
	invented := netip.MustParseAddr("10.77.0.99")
	for _, tt := range []struct {
		name  string
		hears []wire.Advertisement
		late  int64
		want  string
		as    netip.Addr // the source of what is dropped, if it is another
	}{
		{"nobody was ever heard", nil, 0, "", netip.Addr{}},
		{"nothing arrives any more", []wire.Advertisement{good(200)}, 0, " silent of 10.77.0.1", netip.Addr{}},
		{"what arrives is dropped", []wire.Advertisement{good(200), bad, bad, bad}, 0, " dropped of 10.77.0.1: 3 auth-type", netip.Addr{}},
		{"an invented source is dropped", []wire.Advertisement{good(200), bad, bad}, 0, " dropped of 10.77.0.1: 2 auth-type", invented},
		{"nothing but that", []wire.Advertisement{bad, bad}, 0, " dropped of invalid IP: 2 auth-type", invented},
		{"we were not scheduled", []wire.Advertisement{good(200)}, 2 * second, " stalled of 10.77.0.1", netip.Addr{}},
		{"a lower one is preempted", []wire.Advertisement{good(50), good(50), good(50), good(50)}, 0, " lower-priority of 10.77.0.1", netip.Addr{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := configured(t, record())
			for _, a := range tt.hears {
				d.now += second / 2
				source := peer
				if a.AuthType != 0 && tt.as.IsValid() {
					source = tt.as
				}
				d.frame(d.now, advertisement(source, a))
				d.turn()
			}
			d.now = d.p.next() + tt.late
			d.turn()
			d.drained()
			said := d.turn()
			if got, want := said[len(said)-1], "g1 s0 backup->active active-down"+tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestRefresh: an Active announces every so often, a Backup never.
func TestRefresh(t *testing.T) {
	t.Parallel()
	r := record()
	r.AnnounceRefresh, r.AnnounceDelay = 10*second, 0
	d := active(t, r)
	took, count := d.now, 0
	for d.now < took+35*second {
		d.now = d.p.next()
		for _, said := range d.turn() {
			if said == "g1 s0 announce 0+1" {
				count++
			}
		}
	}
	if count != 3 {
		t.Errorf("%d announcements in 35 s, want 3", count)
	}
}
