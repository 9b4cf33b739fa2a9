package ipc

import "net/netip"

// Slot names one virtual router of the running configuration. It is the only
// name the network process has for anything: the parent looks up interface,
// addresses and virtual MAC in the slot's grant.
type Slot uint16

// NoSlot stands in messages that concern no virtual router.
const NoSlot Slot = 0xffff

// Link names one network interface of the running configuration.
type Link uint16

// Specification constants.
const (
	// MaxAddresses is the most addresses an advertisement carries
	// (RFC 9568 §5.2.5: an 8-bit count).
	MaxAddresses = 255
)

// Implementation constants.
const (
	// HeaderLen is the length in bytes of the header before every payload.
	HeaderLen = 16
	// Version is the version of this language; it changes whenever a
	// message does. Both ends are the same build, so it is only a guard.
	Version = 1
	// MaxFrame is the longest IP packet carried in a Frame: the longest IPv4
	// header, the longest advertisement (255 IPv6 addresses) and a trailer.
	MaxFrame = 60 + 8 + 16*MaxAddresses + 28
	// MaxAdvertisement is the longest VRRP message in an Advertise.
	MaxAdvertisement = 8 + 16*MaxAddresses + 28
	// MaxDatagram bounds one batch on a lane.
	MaxDatagram = 64 << 10
	// MaxSecret is the longest secret, in bytes.
	MaxSecret = 4096
	// MaxCapture is the most of a captured frame that a Capture carries: a
	// MaxFrame behind any link-layer header that is understood.
	MaxCapture = MaxFrame + 64
	// MaxHint is the longest hint, in bytes.
	MaxHint = 512
	// MaxTapped is the most of a packet that a Tapped carries: every header, and
	// what an answer to ARP or neighbor discovery says.
	MaxTapped = 128
	// NameLen is the longest name of an interface.
	NameLen = 15
	// MaxNetworks is the most addresses of a link in a LinkState.
	MaxNetworks = 32
	// MaxOwn is the most addresses of either kind in a Sniff.
	MaxOwn = 16
	// MaxShown is the longest text of a Shown.
	MaxShown = 28 << 10
	// BuildLen is the room for a build identity in a Hello.
	BuildLen = 64
)

// Header stands before every payload.
type Header struct {
	Type Type
	// Generation counts configurations; the parent raises it at every reload,
	// so that a request made under an older one is recognised as stale.
	Generation uint32
	// Slot is the virtual router concerned, NoSlot where there is none.
	Slot Slot
	// Sequence numbers the child's requests; a Result repeats it.
	Sequence uint32
}

// Hello is the first message each way. The child sends it when it stands
// behind its walls; the parent answers after it has verified them.
type Hello struct {
	// Build identifies the sources both programs were built from.
	Build string
	// Landlock is the Landlock ABI in force in the sender, 0 for none.
	Landlock uint8
}

// Router is one virtual router of the configuration; Header.Slot names it.
// The child stages Router records and swaps them in at Commit.
type Router struct {
	Link    Link
	Family  Family
	Version uint8 // VRRP version, 2 or 3
	VRID    uint8 // 1..255
	// Migration: version 3, and version 2 beside it (RFC 9568 §8.4).
	Migration bool
	// Priority is 1..254, or 255 for the owner of the addresses.
	Priority uint8
	// Ownership as it is now.
	Ownership Ownership
	// AdverInterval is the Advertisement_Interval in nanoseconds.
	AdverInterval int64
	PreemptMode   bool
	// PreemptDelay and StartupDelay are in nanoseconds; 0: none.
	PreemptDelay, StartupDelay int64
	Auth                       Auth
	// HMAC is how, with AuthHMAC.
	HMAC HMAC
	// Checksum over IPv4, in version 3.
	Checksum Checksum
	// AnnounceRepeat is the number of announcements of each address at
	// takeover, and again AnnounceDelay nanoseconds later (0: not again).
	AnnounceRepeat uint8
	AnnounceDelay  int64
	// AnnounceRefresh is how often an Active announces once more, in
	// nanoseconds; 0: not.
	AnnounceRefresh int64
	// AnnounceInterval is the least time between two announcements on the
	// slot's interface, in nanoseconds; 0: our own.
	AnnounceInterval int64
	// Addresses are the virtual router's, in the order they are advertised.
	Addresses []netip.Addr
}

// Auth says how advertisements are authenticated; but for AuthHMAC it is the
// authentication type of version 2.
type Auth uint8

// Kinds of authentication.
const (
	AuthNone   Auth = 0
	AuthSimple Auth = 1   // RFC 2338
	AuthHMAC   Auth = 128 // a trailer, in either version
	AuthP0     Auth = 250 // rVRRPd
	AuthP1     Auth = 251 // rVRRPd
)

// HMAC is how trailers are made and demanded.
type HMAC struct {
	// ActiveKey is the number of the key that signs.
	ActiveKey uint8
	// Mode: 0 receive-only, 1 permissive, 2 enforce.
	Mode uint8
	// Monotonic: no window around the clock.
	Monotonic bool
	// Window is in whole seconds.
	Window uint16
}

// Secret is one of the slot in the header. It never stands in a log.
type Secret struct {
	// ID is the number of an HMAC key, 0 for the secret of another kind.
	ID    uint8
	Value []byte
}

// Mark is the last sequence of a sender that the slot in the header has heard,
// or of our own (Source invalid), under one key: the child tells the parent, which
// tells a child that is started anew, and with each configuration. From the child,
// Sequence 0: it is forgotten. With Source FormSource and ChecksumAuto
// it is how often the slot has changed the form of its checksum: odd while that
// is ChecksumPseudo.
type Mark struct {
	Source netip.Addr
	// Key is the fingerprint of the key; 0: of every key.
	Key      uint32
	Sequence uint64
}

// FormSource is the source of the mark of a form: no sender has this address.
var FormSource = netip.IPv4Unspecified()

// LinkState tells what became of an interface.
type LinkState struct {
	Link Link
	// Up: the interface is there, up, has carrier and an address to speak from.
	Up bool
	// Primary is the address advertisements come from (§7.2); invalid while
	// not Up.
	Primary netip.Addr
	// Networks are the networks of the interface's IPv4 addresses, or of their peers,
	// that of Primary first; a single address is none. No network stands there where
	// there are more of them than that.
	Networks [MaxNetworks]netip.Prefix
}

// Restore tells a fresh child that the slot in the header is still held by
// the parent: it goes on as Active.
type Restore struct{ empty }

// Owner tells that the ownership of the slot in the header has changed.
type Owner struct {
	Ownership Ownership
}

// Commit ends the configuration; the child answers Ready.
type Commit struct {
	// Routers is the number of Router records staged.
	Routers uint16
}

// Frame is one received IP packet, unread.
type Frame struct {
	Link   Link
	Family Family
	// Received is the arrival on CLOCK_MONOTONIC in nanoseconds.
	Received int64
	// Packet is the IP packet from its header on (IPv4).
	Packet []byte
}

// Result answers the request with the same sequence number.
type Result struct {
	Request Type
	Code    Code
	// Sent is how many addresses of an Announce were announced, with CodeFull.
	Sent uint8
}

// Ping asks the child for a sign of life; it answers with the same, once its
// loop comes to it.
type Ping struct{ empty }

// Stop asks the child to hand over every slot, priority 0 first, and exit.
type Stop struct{ empty }

// Ready says that the configuration of the header's generation runs.
type Ready struct{ empty }

// Advertise sends an advertisement of the slot. The parent puts the Ethernet
// and IP headers around the message; it also renews the slot's lease.
type Advertise struct {
	// Message is the VRRP message.
	Message []byte
}

// Acquire takes the slot's addresses. Idempotent.
type Acquire struct{ empty }

// Release gives the slot's addresses back. Idempotent.
type Release struct{ empty }

// Announce tells the LAN, once and now, where Count of the slot's addresses are,
// from number First on, by gratuitous ARP requests or unsolicited neighbor
// advertisements. Repetitions and their distance are the child's.
type Announce struct {
	First, Count uint8
}

// Moved tells that the addresses of the slot in the header answer from another
// place than before, without a takeover: from another hardware address, or again.
type Moved struct {
	// Rounds is how often each is to be announced, 1 and more.
	Rounds uint8
}

// Drain asks the parent to forward every frame that has arrived so far; its
// Result follows them. The child asks before a down timer fires, so that an
// advertisement that came in time always counts.
type Drain struct{ empty }

// Missed tells, ahead of the answer to a Drain, that packets which arrived by
// Until, on CLOCK_MONOTONIC in nanoseconds, may have been lost.
type Missed struct {
	Until int64
}

// Look asks the parent to watch the slot's link for a moment, below all that can
// keep a packet from the daemon, and to ask who there has an address.
type Look struct {
	// Peer is the former Active; invalid: the slot's own addresses are asked for.
	Peer netip.Addr
}

// Tapped is a packet that a look has seen, unread: VRRP, or the answer to a
// question for an address. One without a packet ends the look; what the sockets
// of the daemon have heard meanwhile stands in the lane of frames by then.
type Tapped struct {
	Link Link
	// Packet is the beginning of the packet, from its IP header on, or that of ARP.
	Packet []byte
}

// Unread is a message of a type that is handed on as it came.
type Unread struct {
	Of      Type
	Payload []byte
}

// empty is a message without a payload.
type empty struct{}

func (empty) Append(b []byte) []byte { return b }

var empties = [NumTypes]Message{TypeRestore: Restore{}, TypeStop: Stop{}, TypePing: Ping{}, TypeReady: Ready{}, TypeAcquire: Acquire{}, TypeRelease: Release{}, TypeDrain: Drain{}}
