package lab

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// What a link's attribute IFLA_AF_SPEC holds for each family: its settings, in
// IFLA_INET_CONF or IFLA_INET6_CONF (linux/if_link.h), as 32-bit words by number
// (linux/ip.h, from 1; linux/ipv6.h, from 0).
var settingsAttributes = map[uint16]struct {
	family string
	conf   uint16
	first  int
}{
	unix.AF_INET:  {"ipv4", 1, 1},
	unix.AF_INET6: {"ipv6", 2, 0},
}

// settingsNames are those of the settings that a daemon has to do with; others have
// their numbers.
var settingsNames = map[string]string{
	"ipv4/1": "forwarding", "ipv4/4": "accept_redirects", "ipv4/6": "send_redirects", "ipv4/8": "rp_filter", "ipv4/18": "arp_announce",
	"ipv4/19": "arp_ignore", "ipv4/21": "arp_accept", "ipv4/22": "arp_notify", "ipv4/23": "accept_local", "ipv4/30": "drop_unicast_in_l2_multicast",
	"ipv6/0": "forwarding", "ipv6/3": "accept_ra", "ipv6/5": "autoconf", "ipv6/26": "disable_ipv6", "ipv6/27": "accept_dad",
}

// settings reads the sysctls of all interfaces: those of each link as the kernel
// lists them with it, for files of them would have to be made first, which takes
// more of the machine than all else that a test does; those of "all" and
// "default", which it does not list, from the files of the settings with a name.
func (n *Node) settings() map[string]string {
	n.lab.Helper()
	values := make(map[string]string)
	err := n.Do(func() error {
		for number, name := range settingsNames {
			family, _, _ := strings.Cut(number, "/")
			for _, of := range []string{"all", "default"} {
				path := family + "/conf/" + of + "/" + name
				if b, err := os.ReadFile("/proc/sys/net/" + path); err == nil {
					values[path] = strings.TrimSpace(string(b))
				}
			}
		}
		return linkSettings(values)
	})
	if err != nil {
		n.lab.Fatalf("%s: %v", n.Name, err)
	}
	return values
}

// linkSettings adds the settings of each link.
func linkSettings(values map[string]string) error {
	dump, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return err
	}
	for i := range messages {
		if messages[i].Header.Type != unix.RTM_NEWLINK {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&messages[i])
		if err != nil {
			return err
		}
		var name string
		for _, a := range attributes {
			if a.Attr.Type == unix.IFLA_IFNAME {
				name = strings.TrimRight(string(a.Value), "\x00")
			}
		}
		for _, a := range attributes {
			if a.Attr.Type == unix.IFLA_AF_SPEC {
				if err := familySettings(name, a.Value, values); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// familySettings adds the settings of one link, of all families.
func familySettings(link string, spec []byte, values map[string]string) error {
	families, err := nl.ParseRouteAttr(spec)
	if err != nil {
		return err
	}
	for _, f := range families {
		is, known := settingsAttributes[f.Attr.Type]
		if !known {
			continue
		}
		attributes, err := nl.ParseRouteAttr(f.Value)
		if err != nil {
			return err
		}
		for _, a := range attributes {
			if a.Attr.Type != is.conf {
				continue
			}
			for i := 0; i+4 <= len(a.Value); i += 4 {
				number := is.first + i/4
				setting := fmt.Sprintf("%s/%d", is.family, number)
				if name := settingsNames[setting]; name != "" {
					setting = is.family + "/" + name
				}
				values["of "+link+" "+setting] = fmt.Sprint(int32(binary.NativeEndian.Uint32(a.Value[i:])))
			}
		}
	}
	return nil
}
