package netproc

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// said lets time pass until an instant, and lists when one of the words was
// said, in milliseconds since an origin.
func (d *parent) said(origin, until int64, words ...string) (at []int64) {
	d.t.Helper()
	for d.now < until {
		for _, line := range d.turn() {
			if slices.Contains(words, line) {
				at = append(at, (d.now-origin)/ms)
			}
		}
		d.now = min(d.p.next(), until)
	}
	return at
}

const announced = "g1 s0 announce 0+1"

// TestHealed: who contends and loses believes itself Active until it has heard
// us, and announces the addresses meanwhile. So the announcement that heals
// comes after our next advertisement, and is repeated an interval later.
func TestHealed(t *testing.T) {
	t.Parallel()
	v2, v3 := record(), record3()
	v2.AnnounceDelay, v3.AnnounceDelay = 0, 0
	for _, tt := range []struct {
		name   string
		record ipc.Router
		lost   wire.Advertisement
		at     []int64 // ms after our last advertisement
		want   []int64
	}{
		{"version 3 answers at once", v3, good3(50), []int64{300}, []int64{400, 1400}},
		{"version 2 tells it with the next advertisement", v2, good(50), []int64{300}, []int64{1090, 2090}},
		{"one that goes on for a while", v2, good(50), []int64{300, 1050}, []int64{2090, 3090}},
		{"another one between the rounds", v2, good(50), []int64{300, 1500}, []int64{1090, 4090, 5090}},
		{"one that leaves", v2, good(0), []int64{300}, nil},
		{"one that never hears us", v2, good(50), []int64{300, 1050, 2050, 3050, 4050, 5050, 6050, 7050, 8050}, []int64{3300, 6300, 9300, 10300}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := active(t, tt.record)
			d.now += 20 * second
			d.turn() // an advertisement
			origin, got := d.now, []int64(nil)
			for _, at := range tt.at {
				got = append(got, d.said(origin, origin+at*ms, announced)...)
				d.frame(d.now, advertisement(peer, tt.lost))
			}
			got = append(got, d.said(origin, origin+20*second, announced)...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("announced at (-want +got), ms:\n%s", diff)
			}
		})
	}
}

// TestHealedTakeover: whoever takes over while another of lower priority is
// Active announces once more when that one has stepped back.
func TestHealedTakeover(t *testing.T) {
	t.Parallel()
	for _, contender := range []bool{false, true} {
		r := record()
		r.AnnounceDelay = 0
		d := configured(t, r)
		if contender {
			d.now += 3500 * ms
			d.frame(d.now, advertisement(peer, good(50)))
		}
		due := start + downInterval
		d.said(start, due)
		d.turn()
		d.drained()
		want := []int64{0} // the takeover's own
		if contender {
			want = append(want, 100, 1100)
		}
		if diff := cmp.Diff(want, d.said(due, due+10*second, announced)); diff != "" {
			t.Errorf("another one Active %v: announced at (-want +got), ms:\n%s", contender, diff)
		}
	}
}

// TestHealedEndsWithActive: who steps back announces nothing any more.
func TestHealedEndsWithActive(t *testing.T) {
	t.Parallel()
	d := active(t, record())
	d.frame(d.now, advertisement(peer, good(50)))
	d.turn()
	d.now += 10 * ms
	d.frame(d.now, advertisement(peer, good(200)))
	d.expect("outranked", d.turn(), "g1 s0 release", "g1 s0 active->backup higher-priority 10.77.0.1/200")
	if got := d.said(d.now, d.now+2*second, announced); got != nil {
		t.Errorf("announced as Backup at %v ms", got)
	}
}
