package conf

import (
	"net/netip"
	"time"
)

// Config is a validated configuration.
type Config struct {
	// Debug is rVRRPd's debug level: 0, 1, 2, 3 or 5.
	Debug int
	// PIDFile, WorkingDir, MainLog and ErrorLog matter to the daemon mode.
	PIDFile, WorkingDir, MainLog, ErrorLog string
	// User is the system user the network process runs as; "" means rvrrpd,
	// or nobody where that does not exist.
	User string
	// Routers in the order of the file.
	Routers []Router
}

// InterfaceType says where a virtual router's addresses live.
type InterfaceType string

// Interface types.
const (
	// Ether puts the addresses on the interface itself.
	Ether InterfaceType = "ether"
	// MACVLAN puts them on a macvlan interface with the virtual MAC address.
	MACVLAN InterfaceType = "macvlan"
)

// Router is one virtual router.
type Router struct {
	// VRID is 1..255; the file calls it group.
	VRID uint8
	// Interface is the name of the network interface.
	Interface string
	// Addresses in the order they are advertised. Prefix length -1 (a Prefix
	// built with Bits = -1 is not representable) is written as Bits 0: see
	// Address.
	Addresses []Address
	// Priority is 1..254.
	Priority uint8
	// PreemptMode as in RFC 9568 §6.1; the file calls it preemption.
	PreemptMode bool
	// AdverInterval is 1..255 whole seconds in VRRPv2.
	AdverInterval time.Duration
	InterfaceType InterfaceType
	// DeviceName is the macvlan's name; the file calls it vifname.
	DeviceName string
	// SocketFilter: drop foreign packets in the kernel.
	SocketFilter bool
}

// Address is a virtual address.
type Address struct {
	Addr netip.Addr
	// Bits is the prefix length, 0 where the file gives none.
	Bits int
}
