package engine

// election is the outcome of comparing a received advertisement with us.
type election uint8

const (
	weWin election = iota
	senderHasPriority
	senderHasAddress
)

// elect compares an advertisement of nonzero priority with our own priority
// and, where those are equal, the sender's address with our primary address as
// unsigned numbers in network byte order (RFC 9568 §6.4.3). An Active without
// a primary address loses every such tie.
func (vr *VirtualRouter) elect(adv Advertisement) election {
	switch {
	case adv.Priority > vr.config.Priority:
		return senderHasPriority
	case adv.Priority < vr.config.Priority:
		return weWin
	case adv.Source.Unmap().Compare(vr.primary) > 0:
		return senderHasAddress
	}
	return weWin
}

// isOurs reports whether an advertisement bears our own source address. Such
// ones are filtered before they come here; an echo must not move us.
func (vr *VirtualRouter) isOurs(adv Advertisement) bool {
	return adv.Source.Unmap().WithZone("") == vr.primary
}
