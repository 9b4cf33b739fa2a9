package conf

import (
	"strings"

	"github.com/rvrrpd/rvrrpd/walls/account"
)

// Implementation constants: bounds of the Linux kernel and of shadow.
const (
	maxDeviceName = 15   // IFNAMSIZ without the closing NUL
	maxPath       = 4095 // PATH_MAX without the closing NUL
	maxUserName   = 32
)

// deviceLetters are what names of interfaces are made of: none of them means
// anything to a shell, which a name may come before by way of a log or a hint.
const deviceLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-"

// IsDevice tells whether the kernel takes s as the name of an interface, which
// refuses ':', and s has no letters but those.
// "all" and "default" are directories of their own under net.ipv4.conf, and on
// "lo" there are no other routers.
func IsDevice(s string) bool {
	switch s {
	case "", ".", "..", "all", "default", "lo":
		return false
	}
	return strings.Trim(s, deviceLetters) == "" && len(s) <= maxDeviceName
}

// IsPath tells whether s can be a path, full or relative.
func IsPath(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= maxPath
}

// IsFullPath tells whether s can be a path that begins with /.
func IsFullPath(s string) bool { return IsPath(s) && s[0] == '/' }

// IsCredential tells whether s can name a credential of systemd, a file of one directory.
func IsCredential(s string) bool {
	return IsPath(s) && !strings.Contains(s, "/") && s != "." && s != ".."
}

// IsUser tells whether s can name the user of the network process: "" leaves
// the choice to the daemon, and root would defeat the purpose. Numbers need no
// name.
func IsUser(s string) bool {
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
