package parent

import (
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants: the kernel reports almost no change of a setting.
const (
	// settingsEvery is the most time between two looks at them, ns.
	settingsEvery = int64(1250 * time.Millisecond)
	// settingsChunk is the number of devices that are looked at each time.
	settingsChunk = 32
)

// checkSettings puts back the settings that somebody else has changed: those
// of all links, and of some devices in turn.
func (d *daemon) checkSettings() {
	if d.now < d.settingsNext-slack {
		return
	}
	d.settingsNext = d.now + settingsEvery
	for _, l := range d.links {
		if l.index == 0 || l.family != ipc.IPv4 {
			continue
		}
		d.putBack(l.linkName.String(), d.hear(&l.wire))
		d.putBack(l.linkName.String(), d.tuneAgain(&l.wire))
	}
	for range min(settingsChunk, len(d.slots)) {
		d.settingsAt = (d.settingsAt + 1) % len(d.slots)
		s := d.slots[d.settingsAt]
		if s == nil || !s.own || s.index == 0 || s.lowering {
			continue
		}
		// To ask for the name would be to wait for whoever changes interfaces just
		// now, in whatever namespace, and that may take longer than an interval.
		if name := d.called[s.index]; name != "" {
			d.putBack(s.name, d.furnish(&d.links[s.link].wire, &s.page, name))
		}
	}
}

// putBack tells of settings that are again as they were. Whether a device
// forwards follows its link.
func (d *daemon) putBack(of string, changed []setting) {
	for _, s := range changed {
		if s.family == "ipv4" && s.name == "forwarding" {
			continue
		}
		d.corrections++
		if d.correcting.Take(d.now) {
			d.log.Warn("put back what somebody else has changed", "of", of, "setting", s.name, "was", s.old, "is", s.set, "device", s.iface, "times", d.corrections)
		}
	}
}

// relax restores the settings of a link that has none of our devices any more.
func (d *daemon) relax(l *link) error {
	if slices.ContainsFunc(l.slots, func(s *slot) bool { return s.own && s.index != 0 }) {
		return nil
	}
	return d.restore(&l.wire)
}
