package parent

import (
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// marker is who has sent something under a key: the address, invalid for
// ourselves, and the fingerprint of the key, 0 for every key.
type marker struct {
	source netip.Addr
	key    uint32
}

// MarshalText writes "-" for ourselves, and no key where it is every one.
func (s marker) MarshalText() ([]byte, error) {
	name := "-"
	if s.source.IsValid() {
		name = s.source.String()
	}
	if s.key != 0 {
		name += fmt.Sprintf("@%08x", s.key)
	}
	return []byte(name), nil
}

// UnmarshalText reads that; releases before this one wrote no keys, and nothing for
// ourselves in a handover.
func (s *marker) UnmarshalText(text []byte) error {
	name, key, keyed := strings.Cut(string(text), "@")
	if !keyed {
		key = "0"
	}
	n, err := strconv.ParseUint(key, 16, 32)
	*s = marker{key: uint32(n)}
	if err == nil && name != "-" && name != "" {
		s.source, err = netip.ParseAddr(name)
	}
	return err
}

// marks are the last sequences of HMAC by sender and key.
type marks map[marker]uint64

// marksMax bounds what is remembered for a virtual router. The child remembers 32
// senders of each key, itself, and one mark for those that had to give way; those of
// four keys have room.
const marksMax = 4 * 34

// newer compares sequences as RFC 1982 does, so that they may wrap.
func newer(a, b uint64) bool { return int64(a-b) > 0 }

// set remembers a sequence. Where there is no room for another sender, the
// one with the oldest gives way; the form of our checksum needs none.
func (m marks) set(who marker, sequence uint64) {
	if _, known := m[who]; !known && who.source != ipc.FormSource {
		senders, oldest := 0, marker{}
		for s := range m {
			if s.source == ipc.FormSource {
				continue
			}
			if senders++; senders == 1 || newer(m[oldest], m[s]) {
				oldest = s
			}
		}
		if senders >= marksMax {
			delete(m, oldest)
		}
	}
	m[who] = sequence
}

// raise takes over what is unknown here, or newer.
func (m marks) raise(other marks) {
	for who, sequence := range other {
		if old, known := m[who]; !known || newer(sequence, old) {
			m.set(who, sequence)
		}
	}
}

// marked remembers what the child says that it has sent or heard, or, with
// sequence 0, forgotten, and the form of the checksum that it has learned. What is remembered for good never goes back.
func (d *daemon) marked(h ipc.Header, m ipc.Mark) error {
	s, who := d.behind(d.pageOf(h)), marker{m.Source, m.Key}
	form := m.Source == ipc.FormSource
	if s == nil || form && s.told.Checksum != ipc.ChecksumAuto || !form && s.told.Auth != ipc.AuthHMAC {
		return &violation{reason: "mark of a slot that has nothing to remember"}
	}
	old, known := s.marks[who]
	lasts := form || s.told.HMAC.Monotonic
	if lasts && known && m.Sequence != 0 && !newer(m.Sequence, old) {
		return nil
	}
	d.stateDirty = d.stateDirty || lasts
	if m.Sequence == 0 {
		delete(s.marks, who)
		return nil
	}
	if form {
		d.log.InfoContext(hearsay, "checksum learned", "vr", s.name, "checksum", [...]conf.Checksum{conf.RFC9568, conf.RFC5798}[m.Sequence&1])
	}
	s.marks.set(who, m.Sequence)
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
		now := d.behind(d.find(s.link, s.vrid))
		switch {
		case now == nil || now.marks == nil:
			d.bygone[d.idOf(s)] = bygone{s.marks, s.told.HMAC.Monotonic || s.told.Auth != ipc.AuthHMAC && d.bygone[d.idOf(s)].forGood}
		case s.told.HMAC.Monotonic && !now.told.HMAC.Monotonic:
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
		if s.marks.raise(d.bygone[id].marks); s.told.HMAC.Monotonic {
			delete(d.bygone, id)
		}
	}
}
