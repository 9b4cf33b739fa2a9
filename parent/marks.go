package parent

import (
	"maps"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// marks are the last sequences of HMAC by sender; our own has no address.
type marks map[netip.Addr]uint64

// marksMax bounds the senders remembered for a virtual router, beside
// ourselves: as many as the child remembers, and one mark for those that had to
// give way.
const marksMax = 33

// newer compares sequences as RFC 1982 does, so that they may wrap.
func newer(a, b uint64) bool { return int64(a-b) > 0 }

// isSender says whether a source is another router, not ourselves nor the mark
// of the form of our checksum.
func isSender(source netip.Addr) bool { return source.IsValid() && source != ipc.FormSource }

// set remembers a sequence. Where there is no room for another sender, the
// one with the oldest gives way.
func (m marks) set(source netip.Addr, sequence uint64) {
	if _, known := m[source]; !known && isSender(source) {
		senders, oldest := 0, netip.Addr{}
		for s := range m {
			if !isSender(s) {
				continue
			}
			if senders++; !oldest.IsValid() || newer(m[oldest], m[s]) {
				oldest = s
			}
		}
		if senders >= marksMax {
			delete(m, oldest)
		}
	}
	m[source] = sequence
}

// raise takes over what is unknown here, or newer.
func (m marks) raise(other marks) {
	for source, sequence := range other {
		if old, known := m[source]; !known || newer(sequence, old) {
			m.set(source, sequence)
		}
	}
}

// marked remembers what the child says that it has sent or heard, or, with
// sequence 0, forgotten, and the form of the checksum that it has learned. What is remembered for good never goes back.
func (d *daemon) marked(h ipc.Header, m ipc.Mark) error {
	s := d.slotOf(h)
	form := m.Source == ipc.FormSource
	if s == nil || form && s.checksum != ipc.ChecksumAuto || !form && s.auth != ipc.AuthHMAC {
		return &violation{reason: "mark of a slot that has nothing to remember"}
	}
	if form || s.hmac.Monotonic {
		if old, known := s.marks[m.Source]; m.Sequence == 0 || known && !newer(m.Sequence, old) {
			return nil
		}
		d.stateDirty = true
	} else if m.Sequence == 0 {
		delete(s.marks, m.Source)
		return nil
	}
	if form && s.report.take(d.now) {
		d.log.Info("checksum learned", "vr", s.name, "checksum", [...]conf.Checksum{conf.RFC9568, conf.RFC5798}[m.Sequence&1])
	}
	s.marks.set(m.Source, m.Sequence)
	return nil
}

// vrID names a virtual router beyond the life of its slot.
type vrID struct {
	iface  string
	family ipc.Family
	vrid   uint8
}

func (d *daemon) idOf(s *slot) vrID { return vrID{d.links[s.link].name, s.family, s.vrid} }

// bygone is what is remembered of a virtual router that is not configured
// now, or otherwise: it may come back, and old advertisements with it.
type bygone struct {
	marks
	forGood bool // it was monotonic: the state file has all of it, too
}

// recall gives the slots what is remembered of their virtual routers: by the
// slots before them, in this process, and in files.
func (d *daemon) recall(before []*slot, files map[vrID]marks) {
	for _, s := range before {
		if s == nil || len(s.marks) == 0 {
			continue
		}
		now := d.find(s.link, s.vrid)
		switch {
		case now == nil || now.marks == nil:
			d.bygone[d.idOf(s)] = bygone{s.marks, s.hmac.Monotonic || s.auth != ipc.AuthHMAC && d.bygone[d.idOf(s)].forGood}
		case s.hmac.Monotonic && !now.hmac.Monotonic:
			d.bygone[d.idOf(s)] = bygone{maps.Clone(s.marks), true}
		}
	}
	for id, m := range files {
		m.raise(d.bygone[id].marks)
		d.bygone[id] = bygone{m, true}
	}
	for _, s := range d.slots {
		if s == nil || s.marks == nil {
			continue
		}
		id := d.idOf(s)
		if s.marks.raise(d.bygone[id].marks); s.hmac.Monotonic {
			delete(d.bygone, id)
		}
	}
}
