package report

// State is a state of RFC 9568 §6.4.
type State uint8

// States; the names are RFC 9568's.
const (
	Initialize State = iota
	Backup
	Active
)

// Reason says why a virtual router changed its state.
type Reason uint8

// Reasons of a state change.
const (
	ReasonStartup        Reason = iota + 1 // Startup event (§6.4.1)
	ReasonOwner                            // Startup as the address owner, priority 255 (§6.4.1)
	ReasonActiveDown                       // Active_Down_Timer fired (§6.4.2)
	ReasonActiveLeft                       // Active_Down_Timer fired after a priority-0 advertisement
	ReasonHigherPriority                   // a higher priority was advertised (§6.4.3)
	ReasonHigherAddress                    // the same priority from a greater address (§6.4.3)
	ReasonShutdown                         // Shutdown event
	ReasonLinkDown                         // the interface went down, or has no address to speak from
	ReasonRestored                         // a fresh network process took over a held slot
	ReasonRefused                          // the parent could not take the addresses
	ReasonLeaseLost                        // the parent took the addresses back
)

// Verdict says why an Active_Down_Timer fired.
type Verdict uint8

// Verdicts.
const (
	VerdictNone    Verdict = iota
	VerdictSilent          // nothing arrived any more
	VerdictDropped         // advertisements arrived, and were discarded
	VerdictAlone           // no Active has been heard since the start
	VerdictStalled         // we were not scheduled for longer than an interval
	VerdictLower           // the Active is there, of lower priority, and is preempted
)

// Drop is a reason for which a received packet was discarded; the numbers in
// the comments are the rules of docs/conformance.md.
type Drop uint8

// Reasons to discard a received packet, in the order they are tested.
const (
	DropIPHeader      Drop = iota + 1 // R1: not a complete IP packet
	DropFragment                      // R1: a fragment
	DropTTL                           // R2: TTL is not 255
	DropDestination                   // R3: not sent to the group
	DropVersion                       // R4
	DropType                          // R5
	DropLength                        // R6: incomplete, or trailing bytes
	DropChecksum                      // R7
	DropVRID                          // R8: no such virtual router here
	DropCount                         // R9: no address
	DropInterval                      // R10: v3 interval of zero
	DropAuthType                      // R11: v2 authentication type is not ours
	DropPassword                      // R11: wrong password (rfc2338-simple)
	DropDigest                        // R11: authentication data do not verify (P0, P1)
	DropNoTrailer                     // R11: no HMAC trailer, and one is demanded
	DropTrailer                       // R11: malformed HMAC trailer
	DropStale                         // R11: HMAC trailer of another time
	DropKey                           // R11: no key with this number
	DropHMAC                          // R11: HMAC does not verify
	DropReplayed                      // R11: HMAC trailer that is not newer than the last
	DropSenders                       // R11: more senders than can be remembered
	DropOffLink                       // R11: the HMAC verifies, and the IPv4 source is in no network of the link
	DropAdverInterval                 // R12: v2 interval differs from ours
	DropLinkLocal                     // R13
	DropAddressList                   // R14: the address list differs from ours, in v2 or with HMAC
	DropOwnFrame                      // R16: our own source address
	DropSuperseded                    // v2 from a router that sends v3, too (RFC 9568 §8.4.2)
	DropInactive                      // the virtual router is in Initialize
	NumDrops                          // one more than the last reason
)

// Notice is something noteworthy about an advertisement that was accepted.
type Notice uint8

// Notices.
const (
	NoticeInterval  Notice = iota + 1 // R12: v3 interval differs from ours
	NoticeAddresses                   // R14: v3 address list, or that of an owner, differs from ours
	NoticeOwner                       // R15: another router claims to be the owner, too
	NoticeChecksum                    // R7: the sender's checksum has not the form we send
	NoticeSkew                        // the sender's clock is off by more than half the window
	NoticeVersion2                    // RFC 9568 §8.4.2: the v3 Active does not send v2 beside it
	NoticeClock                       // our own clock was set back
	NoticeUnsigned                    // there is no HMAC trailer, and none is demanded yet
	NumNotices                        // one more than the last
)
