package conf

import (
	"net/netip"
	"time"
)

// Config is a validated configuration.
type Config struct {
	// Debug is rVRRPd's debug level, 0..5.
	Debug int
	// TimeZone of timestamps in the log: "local" or "utc".
	TimeZone string
	// TimeFormat of them: "disabled" (RFC 3339 with milliseconds), "short",
	// "rfc2822" or "rfc3339" (with microseconds).
	TimeFormat string
	// LogFormat is "text" or "json".
	LogFormat string
	// PIDFile, WorkingDir, MainLog and ErrorLog matter to the daemon mode.
	PIDFile, WorkingDir, MainLog, ErrorLog string
	// User is the system user the network process runs as; "" means rvrrpd,
	// or nobody where that does not exist.
	User string
	// StateDir is where what must outlive the daemon is kept.
	StateDir string
	// Lease is how the kernel is made to silence addresses that nobody renews:
	// "auto", "lifetime", "nftables" or "off".
	Lease string
	// InsecureSecrets: files with secrets that others can read are warned of,
	// and not refused.
	InsecureSecrets bool
	// Routes are installed while any virtual router is Active. These and the lists below
	// are in no JSON: they are told piece by piece.
	Routes []Route `json:"-"`
	// Routers in the order of the file, at least one.
	Routers []Router `json:"-"`
	// Warnings of what has read it, each a line.
	Warnings []string `json:"-"`
}

// Bounds of a configuration.
const (
	// MaxRouters and MaxRoutes are more than a file of 1 MiB has room for.
	MaxRouters, MaxRoutes = 1 << 15, 1 << 16
	// MaxAddresses is the most virtual addresses (RFC 3768 §5.3.5, an 8-bit count).
	MaxAddresses = 255
	// MaxLabelled is the longest name of an interface whose labels have room for a VRID.
	MaxLabelled = 8
)

// InterfaceType says where a virtual router's addresses live.
type InterfaceType string

// Interface types.
const (
	// Ether puts the addresses on the interface itself.
	Ether InterfaceType = "ether"
	// MACVLAN puts them on a macvlan interface with the virtual MAC address.
	MACVLAN InterfaceType = "macvlan"
)

// Owner says what it means that an interface itself has virtual addresses.
type Owner uint8

// Kinds of ownership.
const (
	// OwnerAuto makes a router whose interface has all of them their owner,
	// unless a VRRP daemon has left them there, as far as the kernel knows.
	OwnerAuto Owner = iota
	// OwnerTrue makes a router wait until it is their owner.
	OwnerTrue
	// OwnerFalse: they were left there, and are not the interface's own.
	OwnerFalse
)

// Checksum is a form of the VRRPv3 checksum over IPv4.
type Checksum string

// Forms of the checksum.
const (
	// RFC9568 covers the message alone.
	RFC9568 Checksum = "rfc9568"
	// RFC5798 covers a pseudo-header too, as keepalived and FRR send it unless
	// told otherwise.
	RFC5798 Checksum = "rfc5798"
	// ChecksumAuto is RFC9568 until another router of the virtual router is
	// heard, and then what that one sends.
	ChecksumAuto Checksum = "auto"
)

// Route is a static route.
type Route struct {
	// Prefix has no bits set beyond its length.
	Prefix netip.Prefix
	// NextHop is of the family of Prefix.
	NextHop netip.Addr
	// Metric is 0..32767, MTU 0..65535, 0 for that of the interface.
	Metric, MTU int
}

// Announcements are gratuitous ARP requests, in IPv6 unsolicited neighbor
// advertisements.
type Announcements struct {
	// Repeat is how often each address is announced at takeover, and again
	// after Delay: 1..20.
	Repeat int
	// Delay is 0 (not again) to 255 whole seconds.
	Delay time.Duration
	// Refresh is how often an Active announces once more: 0 (not) to 86400
	// whole seconds.
	Refresh time.Duration
	// Interval is the least time between two announcements on an interface:
	// 0..1 s in steps of 10 ms.
	Interval time.Duration
}

// AuthType says how advertisements are authenticated.
type AuthType string

// Types of authentication.
const (
	AuthNone   AuthType = "none"
	AuthSimple AuthType = "rfc2338-simple" // VRRPv2 only
	AuthP0     AuthType = "p0-t8-sha256"   // VRRPv2 only, rVRRPd's
	AuthP1     AuthType = "p1-b8-shake256" // VRRPv2 only, rVRRPd's
	AuthHMAC   AuthType = "hmac"           // draft-cassen-vrrp-auth-hmac
)

// HMAC is how advertisements are authenticated with AuthHMAC.
type HMAC struct {
	// ActiveKey is the ID of the key that signs.
	ActiveKey uint8
	// AntiReplay is "time" or "monotonic".
	AntiReplay string
	// Window is 1..300 whole seconds.
	Window time.Duration
	// Mode is "receive-only", "permissive" or "enforce".
	Mode string
	// Keys, at least one.
	Keys []Key
}

// Key is a key of HMAC.
type Key struct {
	ID uint8 // 1..255
	// Source is file:PATH or credential:NAME, "" for a value in the file.
	Source string
	// Value has MinKey..MaxKey bytes. It is in no JSON.
	Value []byte `json:"-"`
}

// Router is one virtual router.
type Router struct {
	// VRID is 1..255; the file calls it group.
	VRID uint8
	// Version of VRRP: 2 (RFC 3768) or 3 (RFC 9568). IPv6 has only 3.
	Version uint8
	// Migration: version 3, but version 2 is sent and understood beside it
	// (RFC 9568 §8.4); the file calls it version = "2+3". IPv4 only.
	Migration bool
	// Checksum is the form of the checksum that version 3 sends over IPv4; both
	// are accepted. In version 2 and over IPv6 it is RFC9568 and means nothing.
	Checksum Checksum
	// Interface is the name of the network interface.
	Interface string
	// Addresses are the virtual addresses, 1..MaxAddresses of them, in the order they
	// are advertised, all of one family. No address appears twice on an
	// interface. The first IPv6 address is link-local (RFC 9568 §5.2.9).
	Addresses []Address
	// DerivedLinkLocal: the first address is not in the file, but made from the
	// VRID, because the file gives only global ones.
	DerivedLinkLocal bool
	// Priority is 1..254, or 255 for the owner of the addresses. A router whose
	// addresses are the interface's own is the owner whatever this says.
	Priority uint8
	// Owner says whose the addresses are that the interface itself has.
	Owner Owner
	// PreemptMode as in RFC 9568 §6.1; the file calls it preemption.
	PreemptMode bool
	// PreemptDelay is how long a router bears an Active of lower priority before
	// it takes over, 0..1000 s; 0 with PreemptMode false.
	PreemptDelay time.Duration
	// StartupDelay is how long a router stays in Initialize when the daemon
	// starts, 0..1000 s.
	StartupDelay time.Duration
	// LinkUpDelay is how long a link must have been up before the virtual
	// router starts on it again, 0..1000 s.
	LinkUpDelay time.Duration
	// Announcements at takeover and later.
	Announcements Announcements
	// AcceptMode as in RFC 9568 §6.1: whether an Active that is not the owner
	// accepts packets to the addresses.
	AcceptMode bool
	// AdverInterval is the Advertisement_Interval: 1..255 whole seconds in
	// version 2, 10 ms..40.95 s in steps of 10 ms in version 3 and "2+3".
	AdverInterval time.Duration
	// InterfaceType says where the addresses live.
	InterfaceType InterfaceType
	// IOCTL: the address goes through ioctl(2) instead of netlink; one IPv4
	// address, with Ether, on an interface with a name of up to 8 characters.
	IOCTL bool
	// EtherMAC: with Ether, the interface takes the virtual MAC address while
	// Active. One router of an interface at most.
	EtherMAC bool
	// DeviceName is the macvlan's name, "" for any other InterfaceType; the
	// file calls it vifname. No two routers share one, and none is the
	// Interface of a router.
	DeviceName string
	// DefaultDevice: the file does not give the name.
	DefaultDevice bool
	// SocketFilter: drop foreign packets in the kernel.
	SocketFilter bool
	// Auth says how advertisements are authenticated.
	Auth AuthType
	// Secret of the types for VRRPv2, perhaps empty; at most MaxSecret bytes. It is in
	// no JSON.
	Secret []byte `json:"-"`
	// SecretSource is file:PATH or credential:NAME, "" for a secret in the file.
	SecretSource string
	// HMAC with AuthHMAC, else nil.
	HMAC *HMAC
}

// Address is a virtual address.
type Address struct {
	// Addr is a unicast IPv4 or IPv6 address, without a zone.
	Addr netip.Addr
	// Bits is the prefix length 1..32 or 1..128, or 0 where the file gives none.
	Bits int
}

// String writes the address as the file does: 192.0.2.1 or 192.0.2.1/24.
func (a Address) String() string {
	if a.Bits == 0 {
		return a.Addr.String()
	}
	return netip.PrefixFrom(a.Addr, a.Bits).String()
}
