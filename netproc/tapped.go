package netproc

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// hardwareAddr is a hardware address; zero where an answer does not say it.
type hardwareAddr [macLen]byte

func (a hardwareAddr) String() string {
	if a == (hardwareAddr{}) {
		return "another host"
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5])
}

// virtual is the VRID in a virtual router MAC address (RFC 9568 §7.3).
func (a hardwareAddr) virtual() (vrid uint8, is bool) {
	return a[5], a[0] == 0 && a[1] == 0 && a[2] == 0x5e && a[3] == 0 && (a[4] == 1 || a[4] == 2)
}

// Specification constants: ARP (RFC 826), and ICMPv6 (RFC 4861 §4.4, §4.6.1).
const (
	arpLen                = 28
	arpReply              = 2
	protocolICMPv6        = 58
	neighborAdvertisement = 136
	targetLinkLayer       = 2
	headerIPv4            = 20
	headerIPv6            = 40
)

// note takes a packet of a look into account, of which the beginning is there;
// what it cannot read says nothing.
func (lk *look) note(b []byte) {
	switch {
	case len(b) >= arpLen && binary.BigEndian.Uint16(b) == 1 && binary.BigEndian.Uint16(b[2:]) == etherIPv4:
		if binary.BigEndian.Uint16(b[6:]) == arpReply && b[4] == macLen {
			lk.answers[netip.AddrFrom4([4]byte(b[14:]))] = hardwareAddr(b[8:14])
		}
	case len(b) >= headerIPv4 && b[0]>>4 == 4 && b[9] == wire.Protocol:
		n := int(b[0]&15) * 4
		if fragment := binary.BigEndian.Uint16(b[6:])&0x1fff > 0; !fragment && n >= headerIPv4 {
			lk.advertisement(b[min(n, len(b)):], netip.AddrFrom4([4]byte(b[12:])), b[8] == wire.TTL && netip.AddrFrom4([4]byte(b[16:])) == wire.GroupIPv4)
		}
	case len(b) >= headerIPv6 && b[0]>>4 == 6 && b[6] == wire.Protocol:
		lk.advertisement(b[headerIPv6:], netip.AddrFrom16([16]byte(b[8:])), b[7] == wire.TTL && netip.AddrFrom16([16]byte(b[24:])) == wire.GroupIPv6)
	case len(b) >= headerIPv6+24 && b[0]>>4 == 6 && b[6] == protocolICMPv6 && b[40] == neighborAdvertisement:
		lk.answers[netip.AddrFrom16([16]byte(b[48:]))] = linkLayerOption(b[64:])
	}
}

// advertisement counts a VRRP message.
func (lk *look) advertisement(message []byte, source netip.Addr, proper bool) {
	if len(message) >= 2 && message[0]&15 == 1 {
		lk.arrived[sender{source, message[1], proper}]++
	}
}

// linkLayerOption finds the address among the options of a neighbor advertisement.
func linkLayerOption(b []byte) hardwareAddr {
	for len(b) >= 8 && b[1] > 0 {
		if b[0] == targetLinkLayer {
			return hardwareAddr(b[2:8])
		}
		b = b[min(len(b), 8*int(b[1])):]
	}
	return hardwareAddr{}
}

// hint says what came of the question for a former Active, so that it fits
// what was said at the takeover. What is dropped here need not be heard: of some
// the socket's filter passes a sample only.
func (f *former) hint(peer netip.Addr, answers bool, arrive uint32, deaf bool) string {
	switch {
	case arrive > 0 && f.drop != 0:
		return "it is alive and advertises, and that is dropped here, for the reason " + f.drop.String() + ": look for two Actives"
	case arrive > 0 && deaf:
		return droppedBefore(peer.String(), peer.Is6())
	case arrive > 0:
		return "its advertisements reach the interface, so it is alive: look for two Actives"
	case answers && f.drop != 0:
		return "it answers, so it is alive; it no longer advertises what was dropped here, for the reason " + f.drop.String()
	case answers:
		return "it answers, so it is alive: its advertisements do not reach us, or it has given up its role without a word; look for two Actives; " + filtered(peer.Is6())
	}
	return "it does not answer: it is down, or the network in between has failed"
}

// deafHint says that advertisements reach the interface, and not the daemon.
func (r *router) deafHint(from []netip.Addr) string {
	var words []string
	for _, a := range from {
		if a == r.primary {
			return fmt.Sprintf("advertisements from %v, our own address, reach %s: another host has it, too, or the network has a loop", a, report.HintInterface)
		}
		words = append(words, a.String())
	}
	return droppedBefore(few(words), r.record.Family == ipc.IPv6)
}

// droppedBefore says what to do where something on this host drops what it receives.
func droppedBefore(from string, ipv6 bool) string {
	tables := "iptables -I INPUT -p 112 -j ACCEPT; if no firewall does it, net.ipv4.conf.*.rp_filter = 1"
	if ipv6 {
		tables = "ip6tables -I INPUT -p 112 -j ACCEPT"
	}
	return fmt.Sprintf("advertisements from %s reach %s and are dropped before the daemon: nft add rule inet filter input meta l4proto 112 accept"+
		" (nft insert rule, where another drops them first; without nft: %s)", from, report.HintInterface, tables)
}

// filtered says what may keep multicast from us in the network.
func filtered(ipv6 bool) string {
	group, protocol := wire.GroupIPv4, "IGMP"
	if ipv6 {
		group, protocol = wire.GroupIPv6, "MLD"
	}
	return fmt.Sprintf("a switch or bridge in between may filter multicast to %v (%s snooping without a querier): switch snooping off there, or a querier on "+
		"(Linux: ip link set BRIDGE type bridge mcast_snooping 0, bridge link set dev PORT mcast_flood on)", group, protocol)
}

// answerHint says who else answers for one of the addresses, "" if nobody does.
func (r *router) answerHint(answers map[netip.Addr]hardwareAddr) string {
	for _, a := range r.record.Addresses {
		mac, is := answers[a]
		vrid, virtual := mac.virtual()
		switch {
		case !is:
		case virtual && vrid == r.record.VRID:
			return fmt.Sprintf("another router has the address, too: %v answers for %v, and no advertisement of it reaches %s: it was killed and left the address behind, its firewall drops them, or %s", mac, a, report.HintInterface, filtered(a.Is6()))
		case virtual:
			return fmt.Sprintf("%v is in use: virtual router %d answers for it with %v; an address belongs to one virtual router", a, vrid, mac)
		default:
			return fmt.Sprintf("%v is in use: %v answers for it, which is no virtual MAC address: another host has the address, another interface of this one, or a router whose advertisements do not reach %s", a, mac, report.HintInterface)
		}
	}
	return ""
}
