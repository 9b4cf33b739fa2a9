package source

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

func isNotEmpty(s string) bool { return s != "" }

// isMask tells whether s is ones followed by zeros; none at all is the mask of
// the default route.
func isMask(s string) bool {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return false
	}
	b := a.As4()
	v := binary.BigEndian.Uint32(b[:])
	return bits.LeadingZeros32(^v)+bits.TrailingZeros32(v) == 32
}

func isAddrPort(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Port() != 0
}
