package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// setting is a sysctl of an interface: its value before, the one that we set,
// and what happens if we cannot.
type setting struct{ family, iface, name, old, set, why string }

// linkSettings keep the link from speaking for addresses that live on a
// macvlan above it (PROTOCOL A4): it answers ARP only for its own, and asks
// with its own.
var linkSettings = []setting{
	{family: "ipv4", name: "arp_ignore", set: "1", why: "the interface answers ARP for the virtual addresses, too, with its own hardware address"},
	{family: "ipv4", name: "arp_announce", set: "2", why: "the interface may ask for others with a virtual address, and they learn its own hardware address for it"},
}

// deviceSettings let a macvlan answer for its addresses although the route
// back to the asker leads through the link, and keep IPv6 off it. It forwards
// if its link does.
var deviceSettings = []setting{
	{family: "ipv4", name: "rp_filter", set: "2", why: "packets to the virtual addresses may be dropped, because the way back is the interface below"},
	{family: "ipv4", name: "arp_ignore", set: "1", why: "the device answers ARP for the interface's own addresses, too, with the virtual MAC"},
	{family: "ipv4", name: "arp_announce", set: "2", why: "the device may ask for others with an address that is not its own"},
	{family: "ipv4", name: "arp_filter", set: "0", why: "the virtual addresses may not answer ARP"},
	{family: "ipv6", name: "disable_ipv6", set: "1", why: "the device gets an IPv6 address made of the virtual MAC"},
}

// deviceSettings6 keep the virtual MAC out of addresses (RFC 9568 §7.4) and
// duplicate address detection and router discovery off the device; forwarding
// puts the Router flag into the kernel's solicited advertisements (§6.4.3).
var deviceSettings6 = []setting{
	{family: "ipv4", name: "arp_ignore", set: "8", why: "the device answers ARP for the interface's own addresses, too, with the virtual MAC"},
	{family: "ipv6", name: "addr_gen_mode", set: "1", why: "the device gets an address made of the virtual MAC"},
	{family: "ipv6", name: "disable_ipv6", set: "0", why: "the virtual addresses cannot be taken"},
	{family: "ipv6", name: "accept_dad", set: "0", why: "the device looks for duplicates of its addresses"},
	{family: "ipv6", name: "accept_ra", set: "0", why: "the device takes addresses and routes from router advertisements"},
	{family: "ipv6", name: "forwarding", set: "1", why: "neighbor advertisements lack the Router flag, and what hosts send to the virtual router is not forwarded"},
}

// hearSettings let the kernel pass on what comes from an address of this host: a
// Backup that holds the owner's address hears the owner come back, and a router
// hears another one with its own address. There need not be a device: the
// lock's file remembers what they were.
var hearSettings = []setting{
	{family: "ipv4", name: "accept_local", set: "1", why: "the owner of the addresses is not heard while we hold them, nor another router that has our own address"},
}

// aliasMark begins the alias of every device we make. The link that it was made
// for and the settings that this had before follow it: the kernel keeps the
// ledger where a kill -9 does not reach it.
const aliasMark, aliasBase = "rvrrpd", "on"

// base is the interface that a device was made for, by its number in a network
// namespace. Above a macvlan the kernel itself knows the interface at the very
// bottom only.
type base struct {
	namespace uint64
	index     int // 0: it does not say
}

func formatAlias(on base, saved []setting) string {
	words := []string{aliasMark, fmt.Sprintf("%s=%d/%d", aliasBase, on.namespace, on.index)}
	for _, s := range saved {
		words = append(words, s.name+"="+s.old)
	}
	return strings.Join(words, " ")
}

// parseAlias reads back what formatAlias wrote; only settings of the fixed
// list come out of it.
func parseAlias(alias, iface string) (on base, saved []setting, ours bool) {
	words := strings.Fields(alias)
	if len(words) == 0 || words[0] != aliasMark {
		return on, nil, false
	}
	for _, w := range words[1:] {
		name, old, _ := strings.Cut(w, "=")
		if name == aliasBase {
			fmt.Sscanf(old, "%d/%d", &on.namespace, &on.index)
		}
		saved = append(saved, remembered(linkSettings, iface, name, old)...)
	}
	return on, saved, true
}

// remembered is the one of these settings that has the name, with a value that
// it can have had.
func remembered(of []setting, iface, name, old string) []setting {
	for _, s := range of {
		if s.name == name && len(old) == 1 && old[0] >= '0' && old[0] <= '8' {
			s.iface, s.old = iface, old
			return []setting{s}
		}
	}
	return nil
}

// restoreSettings puts back what is still as we set it: a value changed by
// somebody else since is theirs.
func restoreSettings(saved []setting) error {
	var errs []error
	for _, s := range saved {
		now, err := kernel.ReadSetting(s.family, s.iface, s.name)
		if err == nil && now == s.set {
			err = kernel.WriteSetting(s.family, s.iface, s.name, s.old)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone with the interface, or its name
			errs = append(errs, fmt.Errorf("%s: restore %s: %w", s.iface, s.name, err))
		}
	}
	return errors.Join(errs...)
}

// differing lists the settings of an interface that are not as wanted. What
// there is not, the interface or a whole family, does not differ.
func differing(iface string, want []setting) (out []setting, err error) {
	for _, s := range want {
		old, err := kernel.ReadSetting(s.family, iface, s.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if old != s.set {
			s.iface, s.old = iface, old
			out = append(out, s)
		}
	}
	return out, nil
}

// command is the one that sets it: where the name of an interface has a dot,
// sysctl(8) wants a slash.
func (s setting) command() string {
	return fmt.Sprintf("sysctl -w net.%s.conf.%s.%s=%s", s.family, strings.ReplaceAll(s.iface, ".", "/"), s.name, s.set)
}

// inForce says whether the value for all interfaces does what we want of one:
// of these the kernel takes the greater.
func (s setting) inForce() bool {
	all, err := kernel.ReadSetting(s.family, "all", s.name)
	return err == nil && all == s.set && s.family == "ipv4" && slices.Contains([]string{"arp_ignore", "arp_announce", "rp_filter", "accept_local"}, s.name)
}

// set sets what differs, and lists what is set now. What it may not set is
// told once, with the command that does, and goes without; of many devices,
// for the first one.
func (b *broker) set(differ []setting, device bool) []setting {
	return slices.DeleteFunc(differ, func(s setting) bool {
		err := kernel.WriteSetting(s.family, s.iface, s.name, s.set)
		if err == nil || errors.Is(err, fs.ErrNotExist) || s.inForce() {
			return err != nil
		}
		told := setting{family: s.family, iface: s.iface, name: s.name}
		if device {
			told.iface = ""
		}
		if !b.refused[told] {
			b.refused[told] = true
			b.log.Warn("setting cannot be changed", "link", s.iface, "setting", s.name, "is", s.old, "hint", s.why, "command", s.command(), "error", err)
		}
		return true
	})
}

// settings are those that the slot's device should have.
func (s *page) settings(l *wire) []setting {
	if l.family == ipc.IPv6 {
		return deviceSettings6
	}
	forwarding, err := kernel.ReadSetting("ipv4", l.name, "forwarding")
	if err != nil {
		return deviceSettings
	}
	return append(slices.Clip(deviceSettings), setting{family: "ipv4", name: "forwarding", set: forwarding,
		why: "what hosts send to the virtual MAC is forwarded or not as is usual here, and not as on the interface below"})
}

// furnish gives the slot's device its settings, and lists those that it had not.
func (b *broker) furnish(l *wire, s *page, name string) []setting {
	differ, err := differing(name, s.settings(l))
	if err != nil {
		b.log.Error("settings not read", "device", name, "error", err)
	}
	return b.set(differ, true)
}

// furnishAgain gives the slot's device its settings once more, whatever its name is now.
func (b *broker) furnishAgain(s *page) []setting {
	if name := b.kernel.NameOf(s.index); name != "" {
		return b.furnish(b.wires[s.link], s, name)
	}
	return nil
}

// tuneAgain gives a link that has devices its settings once more, and lists those that
// somebody else has changed: what they wanted is what they get when we go.
func (b *broker) tuneAgain(l *wire) []setting {
	if !l.tuned {
		return nil
	}
	differ, err := differing(l.name, linkSettings)
	if err != nil {
		b.log.Error("settings not read", "link", l.linkName, "error", err)
	}
	changed := b.set(differ, false)
	for _, c := range changed {
		l.saved = append(slices.DeleteFunc(l.saved, func(s setting) bool { return s.name == c.name }), c)
	}
	return changed
}

// hear gives a link the settings that it is to hear with, and lists those that
// it had not.
func (b *broker) hear(l *wire) []setting {
	differ, err := differing(l.name, hearSettings)
	if l.family != ipc.IPv4 || err == nil && len(differ) == 0 {
		return nil
	}
	if was := l.hearing; err == nil && !slices.Equal(was, differ) {
		l.hearing = differ
		if err = b.record(l.name); err != nil {
			l.hearing = was // nothing is set that nobody would restore
		}
	}
	if err != nil {
		b.log.Error("settings not read", "link", l.linkName, "error", err)
		return nil
	}
	return b.set(differ, false)
}

// unhear restores them.
func (b *broker) unhear(l *wire) error {
	if len(l.hearing) == 0 {
		return nil
	}
	err := b.undoSettings(l.index, l.hearing)
	l.hearing = nil
	return errors.Join(err, b.record(l.name))
}

// restore restores the settings of a link, once no device needs them any more,
// and before the last one is deleted: its alias is all that remembers them
// after a kill -9.
func (b *broker) restore(l *wire) error {
	if !l.tuned {
		return nil
	}
	err := b.undoSettings(l.index, l.saved)
	l.saved, l.tuned = nil, false
	return err
}

// renames is how often a link may get another name while its settings are
// restored.
const renames = 5

// undoSettings restores the settings of a link, which the kernel keeps under
// the name that it has at the moment.
func (b *broker) undoSettings(index int, saved []setting) (err error) {
	for range renames {
		name := b.kernel.NameOf(index)
		for i := range saved {
			saved[i].iface = name
		}
		if name == "" {
			return nil // gone, and they with it
		}
		if err = restoreSettings(saved); err == nil && b.kernel.NameOf(index) == name {
			return nil
		}
	}
	return err
}
