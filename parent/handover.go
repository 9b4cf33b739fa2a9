package parent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// A daemon that is replaced by another, of another release perhaps, leaves
// everything as it is in the kernel, says so in a file for each interface,
// and ends. The next one finds the files, believes what of them its own
// configuration and the kernel confirm, and goes on. The leases bound the
// time between: if nobody comes, the addresses fall silent, and the next
// start sweeps them like those of a daemon that was killed.
//
// Where a service manager watches over the daemon, the files stand there all along, and
// the next one goes on for one that was killed, too, as far as the kernel agrees: with what is
// there and answers yet.

// handoverMax bounds a file, in bytes: of ten thousand virtual routers.
const handoverMax = 16 << 20

// handover is what one daemon leaves to the next on one interface.
type handover struct {
	Group    uint32      `json:"group"`              // of the devices
	Standing bool        `json:"standing,omitempty"` // written in case its daemon is killed
	Slots    []savedSlot `json:"slots"`
}

// savedSlot is a page of the ledger.
type savedSlot struct {
	Name    string  `json:"name"`
	Device  string  `json:"device"`  // "" is the interface itself
	Default bool    `json:"default"` // its name is
	Index   int     `json:"index"`
	Held    bool    `json:"held"`
	Placed  []vaddr `json:"placed"`
	Expires int64   `json:"expires"` // CLOCK_MONOTONIC, ns
	Marks   marks   `json:"marks"`   // sequences of HMAC by sender and key
	Begun   int64   `json:"begun"`   // when it could begin first, CLOCK_MONOTONIC, ns
	Over    bool    `json:"over"`    // it has reached its first state
}

func (d *daemon) handoverFile(iface string) string { return d.runFile(iface, "handover") }

// leave ends the daemon without taking anything back. It ends in order
// instead where it has lent what the next one would not know, an interface its
// address or an address to a driver; and where the next one could not start,
// because the configuration has become one that is refused, or nobody can read it: a service manager
// that is told to restart us waits for our end, and would kill us if we
// stayed, and addresses that nobody advertises any more are better given to a
// peer at once than left until the leases end. What only our own walls keep
// us from reading is for the next one to judge.
func (d *daemon) leave(refused error) error {
	if d.stopping {
		return d.stop()
	}
	if refused != nil && !errors.Is(refused, fs.ErrPermission) {
		for line := range strings.Lines(refused.Error()) {
			d.log.Error("cannot hand over to the next daemon: stopping instead", "error", strings.TrimSpace(line))
		}
		return d.stop()
	}
	for _, s := range d.slots {
		if s != nil && (s.etherMAC || s.ioctl || d.links[s.link].displaced != nil) {
			d.log.Warn("cannot hand over to the next daemon: stopping instead", "vr", s.name)
			return d.stop()
		}
	}
	d.acquireAll()
	d.confirm()
	d.renew() // what this turn has prolonged: the next one needs its time
	if d.child != nil {
		d.end()
	}
	if d.old != nil {
		d.finish()
	}
	d.finishChores()
	if err := d.writeDown(); err != nil { // everything is undone, and the files removed
		return fmt.Errorf("handover: %w", err)
	}
	d.closeState() // before the next one can have the interfaces
	d.left = true
	d.log.Info("handing over to the next daemon", "active", len(d.active()))
	return errStopped
}

// writeDown writes what is there, for a next daemon. It needs no disk: nothing of it is worth
// anything after a crash of the machine.
func (d *daemon) writeDown() (err error) {
	for name := range d.locks {
		err = errors.Join(err, os.WriteFile(d.handoverFile(name), d.bequest(name), 0o600))
	}
	return err
}

// bequest is what is there on an interface, in JSON.
func (d *daemon) bequest(iface string) []byte {
	h := handover{Group: d.group, Standing: d.child != nil}
	for _, s := range d.slots {
		if s == nil || d.links[s.link].name != iface || s.index == 0 && len(s.marks) == 0 && s.start.begun == 0 {
			continue
		}
		one := savedSlot{Name: s.name, Device: s.device, Default: s.defaulted, Index: s.index, Held: s.held, Placed: s.placed, Expires: s.expires, Marks: s.marks,
			Begun: s.start.begun, Over: s.start.over}
		h.Slots = append(h.Slots, one)
	}
	text, _ := json.Marshal(h) // of our own types, which do not fail
	return text
}

// readHandover reads and removes a file; nil where there is none. With an error
// nothing of it is to be believed.
func readHandover(path string) (*handover, error) {
	f, err := openOurs(path, handoverMax)
	os.Remove(path)
	if f == nil {
		return nil, err
	}
	defer f.Close()
	h := &handover{}
	return h, json.NewDecoder(f).Decode(h)
}

// inherit takes over what the daemon before has left on our interfaces, as
// far as it is what we would have made; all else of it is swept.
func (d *daemon) inherit(c *conf.Config) error {
	infos, addrs, err := facts.All()
	if err != nil {
		return err
	}
	byIndex, byName := make(map[int]facts.Link), make(map[string]facts.Link)
	for _, i := range infos {
		byIndex[i.Index], byName[i.Name] = i, i
	}
	taken, held := 0, 0
	for name, h := range d.bequests(c) {
		for i := range h.Slots {
			one := &h.Slots[i]
			s := d.named(one.Name)
			if s != nil && h.Standing {
				one.Expires = s.silentAt(one, addrs, d.leases.Alive(d.term(&s.page)), d.now)
			}
			lapsed := h.Standing && one.Expires <= d.now
			if s != nil && !lapsed {
				s.start.begun, s.start.over = min(one.Begun, d.now), one.Over
			}
			if s != nil && s.marks != nil {
				s.marks.raise(one.Marks)
			}
			if s == nil || lapsed || !s.confirms(one, byIndex[one.Index], byName[name], d.namespace) {
				continue
			}
			d.resume(s, one, byIndex[one.Index])
			if d.group = h.Group; s.held {
				held++
			}
			taken++
		}
	}
	if taken > 0 {
		d.log.Info("taken over from the daemon before", "routers", taken, "active", held)
	}
	return nil
}

// bequests reads what there is for our interfaces. Devices with default names
// keep them.
func (d *daemon) bequests(c *conf.Config) map[string]*handover {
	all, devices := make(map[string]*handover), make(map[string]string)
	for name := range d.locks {
		h, err := readHandover(d.handoverFile(name))
		if err != nil {
			d.log.Warn("nothing taken over from the daemon before", "link", name, "error", err)
		}
		if err != nil || h == nil || h.Standing && d.leases == nil {
			continue
		}
		all[name] = h
		for _, one := range h.Slots {
			if one.Default {
				devices[one.Name] = one.Device
			}
		}
	}
	c.KeepDevices(devices)
	for _, r := range c.Routers {
		if s := d.named(r.Name()); s != nil {
			s.device = r.DeviceName
		}
	}
	return all
}

// named finds a slot by its name.
func (d *daemon) named(name string) *slot {
	i := slices.IndexFunc(d.slots, func(s *slot) bool { return s != nil && s.name == name })
	if i < 0 {
		return nil
	}
	return d.slots[i]
}

// confirms says whether the device is there and as this slot wants it.
func (s *slot) confirms(h *savedSlot, device, lower facts.Link, namespace uint64) bool {
	if s.device != h.Device || s.etherMAC || s.ioctl || lower.Index == 0 {
		return false
	}
	if s.device == "" {
		return h.Index == lower.Index
	}
	_, _, ours := parseAlias(device.Alias, lower.Name)
	return ours && device.Name == s.device && device.Kind == "macvlan" && baseOf(device, namespace) == lower.Index && bytes.Equal(device.MAC, s.mac[:])
}

// resume opens the ledger at the page of the daemon before.
func (d *daemon) resume(s *slot, h *savedSlot, device facts.Link) {
	s.inherited = true
	d.adoptPage(&s.page, h)
	if l := d.links[s.link]; s.own && !l.tuned && l.family == ipc.IPv4 {
		_, saved, _ := parseAlias(device.Alias, l.name)
		d.tunedBefore(&l.wire, saved)
	}
}

// silentAt is when the kernel silences what a daemon that was killed held; now, where it does, has
// not all of it any more, or has nothing that could tell.
func (s *slot) silentAt(h *savedSlot, there []facts.Address, alive time.Duration, now int64) int64 {
	for _, a := range h.Placed {
		if !slices.ContainsFunc(there, func(b facts.Address) bool { return b.Index == h.Index && b.Prefix == a.Prefix }) {
			return now
		}
	}
	return now + int64(min(s.lease, alive))*int64(min(1, len(h.Placed)))
}

// inheritedOn says whether an address, or any with an invalid prefix, was
// taken over on an interface.
func (d *daemon) inheritedOn(index int, prefix netip.Prefix) bool {
	return slices.ContainsFunc(d.slots, func(s *slot) bool {
		return s != nil && s.inherited && s.index == index &&
			(!prefix.IsValid() || slices.ContainsFunc(s.placed, func(a vaddr) bool { return a.Prefix == prefix }))
	})
}

// heirs says whether anything was taken over on a link.
func (d *daemon) heirs(iface string) bool {
	return slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.inherited && d.links[s.link].name == iface })
}

// settleIn makes what was taken over what it is to be: addresses may be
// others now, and what has fallen silent meanwhile is given back.
func (d *daemon) settleIn() error {
	var errs []error
	for _, s := range d.slots {
		if s == nil || !s.inherited {
			continue
		}
		s.inherited = false
		switch {
		case s.held && s.expires <= d.now:
			errs = append(errs, d.give(&s.page))
		case s.held && !slices.Equal(s.placed, d.place(&s.page)):
			errs = append(errs, d.take(&s.page))
		}
	}
	return errors.Join(errs...)
}
