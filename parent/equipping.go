package parent

import (
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// equipTime is how long a turn may make devices, and a bit: making hundreds of
// them must not keep us from advertising on other links.
const equipTime = int64(10 * time.Millisecond)

// equipSoon gives a slot its device, in one of the next turns if this one has
// made many already. At the start there is nobody to wait for it.
func (d *daemon) equipSoon(l *link, s *slot) {
	if s.inherited {
		return
	}
	if d.child == nil || len(d.equipping) == 0 && ipc.Monotonic()-d.now < equipTime {
		d.equipped(s, d.equip(&l.wire, &s.page))
		return
	}
	s.queued = true
	d.equipping = append(d.equipping, s)
}

// equipMore makes devices that are still to be made, as far as there is time
// in this turn.
func (d *daemon) equipMore() {
	for begin := ipc.Monotonic(); len(d.equipping) > 0 && ipc.Monotonic()-begin < equipTime; {
		s := d.equipping[0]
		d.equipping = d.equipping[1:]
		l := d.links[s.link]
		if l.index != 0 && s.index == 0 && slices.Contains(l.slots, s) {
			d.equipped(s, d.equip(&l.wire, &s.page))
			if l.told.Up {
				d.own(l)
			}
		}
		s.queued = false
	}
}

// equipped takes note of whether a slot has its device. Without, it waits in
// Initialize, and the others on its link do not.
func (d *daemon) equipped(s *slot, err error) {
	if s.trouble.About(err, d.now) {
		d.log.Error("no device for the addresses", "vr", s.name, "error", err)
	}
	d.changedSoon()
	if err != nil {
		d.links[s.link].lookAt(d.now + attachRetry)
	}
}
