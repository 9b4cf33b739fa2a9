package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// setting is a sysctl of an interface that was changed, and its value before.
type setting struct{ family, iface, name, old, set string }

// linkSettings keep the link from speaking for addresses that live on a
// macvlan above it (PROTOCOL A4): it answers ARP only for its own, and asks
// with its own.
var linkSettings = []setting{{family: "ipv4", name: "arp_ignore", set: "1"}, {family: "ipv4", name: "arp_announce", set: "2"}}

// deviceSettings let a macvlan answer for its addresses although the route
// back to the asker leads through the link.
var deviceSettings = []setting{{family: "ipv4", name: "rp_filter", set: "2"},
	{family: "ipv4", name: "arp_ignore", set: "1"}, {family: "ipv4", name: "arp_announce", set: "2"}, {family: "ipv4", name: "arp_filter", set: "0"}}

// deviceSettings6 keep the virtual MAC out of addresses (RFC 9568 §7.4) and
// duplicate address detection and router discovery off the device; forwarding
// puts the Router flag into the kernel's solicited advertisements (§6.4.3).
var deviceSettings6 = []setting{{family: "ipv4", name: "arp_ignore", set: "8"}, {family: "ipv6", name: "addr_gen_mode", set: "1"}, {family: "ipv6", name: "disable_ipv6", set: "0"},
	{family: "ipv6", name: "accept_dad", set: "0"}, {family: "ipv6", name: "accept_ra", set: "0"}, {family: "ipv6", name: "forwarding", set: "1"}}

// aliasMark begins the alias of every device we make. The settings that the
// device's link had before follow it: the kernel keeps the ledger where a
// kill -9 does not reach it.
const aliasMark = "rvrrpd"

func formatAlias(saved []setting) string {
	words := []string{aliasMark}
	for _, s := range saved {
		words = append(words, s.name+"="+s.old)
	}
	return strings.Join(words, " ")
}

// parseAlias reads back what formatAlias wrote; only settings of the fixed
// list come out of it.
func parseAlias(alias, iface string) (saved []setting, ours bool) {
	words := strings.Fields(alias)
	if len(words) == 0 || words[0] != aliasMark {
		return nil, false
	}
	for _, w := range words[1:] {
		name, old, _ := strings.Cut(w, "=")
		for _, s := range linkSettings {
			if s.name == name && len(old) == 1 && old[0] >= '0' && old[0] <= '8' {
				saved = append(saved, setting{s.family, iface, name, old, s.set})
			}
		}
	}
	return saved, true
}

// restoreSettings puts back what is still as we set it: a value changed by
// somebody else since is theirs.
func restoreSettings(saved []setting) error {
	var errs []error
	for _, s := range saved {
		now, err := readSysctl(s.family, s.iface, s.name)
		if err == nil && now == s.set {
			err = writeSysctl(s.family, s.iface, s.name, s.old)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone with the interface, or its name
			errs = append(errs, fmt.Errorf("%s: restore %s: %w", s.iface, s.name, err))
		}
	}
	return errors.Join(errs...)
}

// differing lists the settings of an interface that are not as wanted.
func differing(iface string, want []setting) (out []setting, err error) {
	for _, s := range want {
		old, err := readSysctl(s.family, iface, s.name)
		if err != nil {
			return nil, err
		}
		if old != s.set {
			out = append(out, setting{s.family, iface, s.name, old, s.set})
		}
	}
	return out, nil
}

// change sets what differing listed.
func change(settings []setting) error {
	var errs []error
	for _, s := range settings {
		errs = append(errs, writeSysctl(s.family, s.iface, s.name, s.set))
	}
	return errors.Join(errs...)
}
