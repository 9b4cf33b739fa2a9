package parent

import (
	"slices"
)

// pacedMax bounds the announcements that wait for their time.
const pacedMax = 1 << 16

// paced is an announcement that waits for its time on its interface.
type paced struct {
	slot  *slot
	link  *link
	frame []byte
	at    int64
}

// announceFrame sends an announcement of a slot, or lets it wait until the
// interface may have the next one.
func (d *daemon) announceFrame(s *slot, l *link, frame []byte) {
	pace := int64(s.pace)
	if pace == 0 && l.nextAnnounce <= d.now {
		d.transmit(l, frame)
		return
	}
	at := max(d.now, l.nextAnnounce)
	if l.nextAnnounce = at + pace; at <= d.now {
		d.transmit(l, frame)
		return
	}
	if len(d.pacing) == pacedMax {
		d.unsent(l, errTooMany)
		return
	}
	i, _ := slices.BinarySearchFunc(d.pacing, at, func(p paced, at int64) int { return int(min(1, max(-1, p.at-at-1))) })
	d.pacing = slices.Insert(d.pacing, i, paced{s, l, slices.Clone(frame), at})
}

// announceDue sends the announcements whose time has come; of slots that are
// not held any more there is nothing to announce.
func (d *daemon) announceDue() {
	n := 0
	for n < len(d.pacing) && d.pacing[n].at <= d.now {
		if p := d.pacing[n]; p.slot.held && p.link.tx != nil {
			d.transmit(p.link, p.frame)
		}
		n++
	}
	d.pacing = slices.Delete(d.pacing, 0, n)
}
