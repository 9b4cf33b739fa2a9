package conf

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strings"

	"github.com/rvrrpd/rvrrpd/walls/account"
)

// Implementation constants: bounds of the Linux kernel and of shadow.
const (
	maxDeviceName = 15   // IFNAMSIZ without the closing NUL
	maxPath       = 4095 // PATH_MAX without the closing NUL
	maxUserName   = 32
)

func isNotEmpty(s string) bool { return s != "" }

// deviceLetters are what names of interfaces are made of: none of them means
// anything to a shell, which a name may come before by way of a log or a hint.
const deviceLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-"

// isDevice tells whether the kernel takes s as the name of an interface, which
// refuses ':', and s has no letters but those.
// "all" and "default" are directories of their own under net.ipv4.conf, and on
// "lo" there are no other routers.
func isDevice(s string) bool {
	switch s {
	case "", ".", "..", "all", "default", "lo":
		return false
	}
	return strings.Trim(s, deviceLetters) == "" && len(s) <= maxDeviceName
}

// isPath tells whether s can be a path, full or relative.
func isPath(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= maxPath
}

func isFullPath(s string) bool { return isPath(s) && s[0] == '/' }

// isUser tells whether s can name the user of the network process: "" leaves
// the choice to the daemon, and root would defeat the purpose. Numbers need no
// name.
func isUser(s string) bool {
	if uid, gid, is := account.Numbers(s); is {
		return uid != 0 && gid != 0
	}
	if s == "root" || len(s) > maxUserName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		other := c == '-' || c == '.' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}

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
