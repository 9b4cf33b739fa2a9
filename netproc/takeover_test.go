package netproc

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

const advertises = "advertise v2 vrid=7 priority=100 every 1s [10.77.0.254]"

// TestTakeover follows one router from its start to its second round of
// announcements, in the order of RFC 9568 §6.4.2.
func TestTakeover(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	if got, want := d.p.next(), start+downInterval; got != want {
		t.Fatalf("Active_Down_Timer: due at %d, want %d", got, want)
	}
	d.now = start + downInterval - 1
	d.expect("a nanosecond before", d.turn())
	d.now++
	d.expect("due", d.turn(), "g1 drain")
	d.expect("no second question", d.turn())
	if got := d.p.next(); got != never {
		t.Errorf("wakes up at %d while it waits for the answer", got)
	}
	d.drained()
	d.expect("answered", d.turn(), "g1 s0 "+advertises, "g1 s0 acquire", "g1 s0 announce 0+1", "g1 s0 backup->active active-down")
	took := d.now
	for d.now < took+4*second {
		d.now = d.p.next()
		d.expect("every second", d.turn(), "g1 s0 "+advertises)
	}
	d.now = took + 5*second
	d.expect("second round", d.turn(), "g1 s0 announce 0+1")
}

// TestDrain: what arrived in time counts, however late it is delivered.
func TestDrain(t *testing.T) {
	t.Parallel()
	due := start + downInterval
	tests := []struct {
		name     string
		arrived  int64
		priority uint8
		want     []string // said with the answer
	}{
		{"in time", due - 1, 200, nil},
		{"long ago", start + 100*ms, 200, nil},
		{"just as it was asked", due + ms, 200, nil},
		{"a leaving Active", due - 1, 0, nil},
		{"a lower priority does not count", due - 1, 99, []string{"g1 s0 " + advertises, "g1 s0 acquire", "g1 s0 announce 0+1", "g1 s0 backup->active active-down lower-priority of 10.77.0.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := configured(t, record())
			d.now = due + ms // late: we were not scheduled
			d.expect("due", d.turn(), "g1 drain")
			d.now += ms
			d.frame(tt.arrived, advertisement(peer, good(tt.priority)))
			d.drained()
			d.expect("answered", d.turn(), tt.want...)
			if tt.priority == 200 && d.p.next() != tt.arrived+downInterval {
				t.Errorf("next: due at %d, want Active_Down_Interval after the arrival, %d", d.p.next(), tt.arrived+downInterval)
			}
		})
	}
}

// TestMissed: when packets were lost since the Active was last heard, a
// takeover that is due waits for one more Active_Down_Interval, once, or until
// the Active is heard.
func TestMissed(t *testing.T) {
	t.Parallel()
	takeover := []string{"g1 s0 " + advertises, "g1 s0 acquire", "g1 s0 announce 0+1", "g1 s0 backup->active active-down silent of 10.77.0.1"}
	for _, tt := range []struct {
		name   string
		until  int64 // after the Active was heard
		silent bool
		want   []string // said with the first answer
	}{
		{"since, and the Active is silent", 1, true, nil},
		{"since, and the Active lives", 1, false, nil},
		{"before", -1, true, takeover},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := configured(t, record())
			d.now += second
			heard := d.now
			d.frame(heard, advertisement(peer, good(200)))
			d.expect("heard", d.turn())
			d.now = heard + downInterval
			d.expect("due", d.turn(), "g1 drain")
			d.say(ipc.Missed{Until: heard + tt.until})
			d.drained()
			d.expect("answered", d.turn(), tt.want...)
			if tt.want != nil {
				return
			}
			if got, want := d.p.next(), d.now+downInterval; got != want {
				t.Fatalf("Active_Down_Timer: due at %d, want %d", got, want)
			}
			d.now += downInterval
			if !tt.silent {
				d.frame(d.now-second, advertisement(peer, good(200)))
				d.expect("heard again", d.turn())
				return
			}
			d.expect("due again", d.turn(), "g1 drain")
			d.say(ipc.Missed{Until: d.now})
			d.drained()
			d.expect("answered again", d.turn(), takeover...)
		})
	}
}

// TestDrainCoversOnlyWhatWasDue: a timer that falls due while the question is
// open waits for the next question.
func TestDrainCoversOnlyWhatWasDue(t *testing.T) {
	t.Parallel()
	d := newParent(t)
	later := record()
	later.VRID, later.Priority = 8, 99
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), ipc.Slot(1), later, linkUp, ipc.Commit{Routers: 2})
	d.turn()
	d.now = start + downInterval
	d.expect("first due", d.turn(), "g1 drain")
	d.now += second
	d.expect("second due", d.turn())
	d.drained()
	d.expect("first fires, second asks", d.turn(), "g1 s0 "+advertises, "g1 s0 acquire", "g1 s0 announce 0+1", "g1 s0 backup->active active-down", "g1 drain")
	d.drained()
	d.expect("second fires", d.turn(), "g1 s1 advertise v2 vrid=8 priority=99 every 1s [10.77.0.254]", "g1 s1 acquire", "g1 s1 announce 0+1", "g1 s1 backup->active active-down")
}

// TestOneDrainForMany: one question, one batch, whatever the number.
func TestOneDrainForMany(t *testing.T) {
	t.Parallel()
	d := newParent(t)
	say := []any{ipc.Hello{Build: ipc.Build()}}
	for i := range 200 {
		r := record()
		r.VRID = uint8(i + 1)
		say = append(say, ipc.Slot(i), r)
	}
	d.say(append(say, linkUp, ipc.Commit{Routers: 200})...)
	d.turn()
	d.now = start + downInterval
	d.expect("due", d.turn(), "g1 drain")
	d.drained()
	if got := d.turn(); len(got) != 4*200 {
		t.Errorf("%d messages, want %d", len(got), 4*200)
	}
	first := d.p.next()
	d.now = first
	if got := d.turn(); len(got) != 200 {
		t.Errorf("%d advertisements fall due together, want 200", len(got))
	}
}

// TestFloodDoesNotHideTheDrain: a takeover waits until the lane has been read
// to its end, however much is in it, while advertisements go out.
func TestFloodDoesNotHideTheDrain(t *testing.T) {
	t.Parallel()
	d := newParent(t)
	owner := record()
	owner.VRID, owner.Priority = 8, 255
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), ipc.Slot(1), owner, linkUp, ipc.Commit{Routers: 2})
	d.turn()
	d.now = start + downInterval
	ownAdvert := "g1 s1 advertise v2 vrid=8 priority=255 every 1s [10.77.0.254]"
	d.expect("due", d.turn(), ownAdvert, "g1 drain")
	for range datagramsATurn {
		d.frame(d.now, advertisement(peer, good(1)))
	}
	d.frame(start+2*second, advertisement(peer, good(200)))
	d.drained()
	d.now += second
	d.expect("first part", d.turn(), ownAdvert)
	if got := d.p.next(); got > d.now {
		t.Errorf("waits until %d with frames unread", got)
	}
	d.expect("the rest", d.turn())
	if got := d.p.takeovers.first(); got != start+2*second+downInterval {
		t.Errorf("Active_Down_Timer: due at %d, want %d", got, start+2*second+downInterval)
	}
}

// TestEndlessFlood: a lane that is never empty holds off no takeover; it comes
// as soon as all has been read that was in the lane when the parent answered.
func TestEndlessFlood(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	d.now = start + downInterval
	d.expect("due", d.turn(), "g1 drain")
	flood := func(n int) {
		for range n {
			d.frame(d.now, advertisement(peer, good(1)))
		}
	}
	flood(datagramsATurn + 1)
	d.drained()
	d.expect("the parent has forwarded all", d.turn())
	for range 3 {
		flood(datagramsATurn)
		d.expect("as old as the answer, as far as we know", d.turn())
	}
	d.now += 2 * clocksApart
	flood(datagramsATurn)
	if took := d.turn(); len(took) != 4 || took[1] != "g1 s0 acquire" || !d.p.unread {
		t.Errorf("newer ones read: %q, more to read: %v; want a takeover all the same", took, d.p.unread)
	}
}

// TestElection is what an accepted advertisement does to an Active.
func TestElection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		src      string
		priority uint8
		want     []string
	}{
		{"higher priority", "10.77.0.1", 101, []string{"g1 s0 release", "g1 s0 active->backup higher-priority 10.77.0.1/101"}},
		{"equal, greater address", "10.77.0.3", 100, []string{"g1 s0 release", "g1 s0 active->backup higher-address 10.77.0.3/100"}},
		{"equal, smaller address", "10.77.0.1", 100, nil},
		{"lower priority", "10.77.0.3", 99, nil},
		{"leaving", "10.77.0.3", 0, []string{"g1 s0 " + advertises}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := active(t, record())
			d.now += 200 * ms
			d.frame(d.now, advertisement(mustAddr(tt.src), good(tt.priority)))
			d.expect("heard", d.turn(), tt.want...)
		})
	}
}

// TestFutureArrival: a stamp ahead of our clock is taken as now.
func TestFutureArrival(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	d.now += second
	d.frame(d.now+1000*second, advertisement(peer, good(200)))
	d.expect("heard", d.turn())
	if got, want := d.p.next(), d.now+downInterval; got != want {
		t.Errorf("Active_Down_Timer: due at %d, want %d", got, want)
	}
}

// TestTimeout: takeovers are waited for in two steps, so that the second is
// exact; whatever happens every interval in one.
func TestTimeout(t *testing.T) {
	t.Parallel()
	backup, both, asking := configured(t, record()), active(t, record()), configured(t, record())
	asking.now = asking.p.next()
	asking.turn()
	advert := both.p.next()
	tests := []struct {
		name string
		p    *process
		now  int64
		want time.Duration
	}{
		{"takeover, far", backup.p, start, time.Duration(downInterval - downInterval/1000)},
		{"takeover, near", backup.p, start + downInterval - 10*ms, 10 * time.Millisecond},
		{"takeover, past", backup.p, start + downInterval + second, 0},
		{"advertisement", both.p, advert - 900*ms, 900 * time.Millisecond},
		{"waiting for the parent", asking.p, start, -1},
		{"not configured", newParent(t).p, start, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.p.timeout(tt.now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestVersion3: the structure carries version 3 over IPv4.
func TestVersion3(t *testing.T) {
	t.Parallel()
	r := record()
	r.Version, r.AdverInterval = 3, 250*ms
	d := configured(t, r)
	a := good(200)
	a.Version, a.AdverInterval = 3, 2*1000*1000*1000
	d.now += ms
	d.frame(d.now, advertisement(peer, a))
	d.expect("heard", d.turn(), "g1 noticed interval link=0 vrid=7 from 10.77.0.1: 1 of 1")
	if got, want := d.p.next(), d.now+6*second+2*156*second/256; got != want {
		t.Errorf("learned Active_Down_Interval: due at %d, want %d", got, want)
	}
	d.now = d.p.next()
	d.turn()
	d.drained()
	if got, want := d.turn()[0], "g1 s0 advertise v3 vrid=7 priority=100 every 250ms [10.77.0.254]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
