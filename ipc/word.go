package ipc

// Family is the address family of a virtual router: 4 or 6.
type Family uint8

// Address families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Checksum is the form of the version 3 checksum that is sent over IPv4.
type Checksum uint8

// Forms of the checksum.
const (
	ChecksumPlain  Checksum = iota // of the message alone (RFC 9568 §5.2.8)
	ChecksumPseudo                 // with a pseudo-header, too (RFC 5798 §5.2.8)
	ChecksumAuto                   // that of the router heard last
)

// Ownership says whether the addresses of a virtual router are those of its
// interface itself (RFC 9568 §1.7, IPvX address owner).
type Ownership uint8

// Ownerships.
const (
	OwnsNone Ownership = iota
	// OwnsAll makes the router the owner: its priority is 255.
	OwnsAll
	// OwnsSome is no valid state: the router stays in Initialize.
	OwnsSome
)

// Code answers a request.
type Code uint8

// Answers. None of them is a violation: each can be caused innocently by
// pipelining, by a reload or by the kernel.
const (
	CodeDone     Code = iota + 1
	CodeStale         // the request names an older generation
	CodeBusy          // a rate limit of the grant was reached
	CodeNotHeld       // announce or release of a slot that is not held
	CodeLinkDown      // the slot's interface is not usable
	CodeFull          // the slot's interface has no room for a frame: try again in a moment
	CodeKernel        // the kernel refused; the parent logged why
)
