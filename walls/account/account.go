// Package account finds the user that an unprivileged process runs as.
package account

import (
	"fmt"
	"math"
	"os/user"
	"strconv"
	"strings"
)

// Nobody is the user id of nobody in particular, in the kernel and in /etc/passwd:
// whoever else runs as that can signal what does.
const Nobody = 65534

// Identity is the user and group id of the user that a configuration names:
// by name, or by numbers, which need not be known. "" is rvrrpd, or nobody, or
// where neither is known the kernel's number for that.
func Identity(name string) (uid, gid int, err error) {
	uid, gid, numeric := Numbers(name)
	switch {
	case name == "":
		uid, gid = Nobody, Nobody
		for _, n := range []string{"nobody", "rvrrpd"} {
			if u, err := user.Lookup(n); err == nil {
				uid, gid, _ = Numbers(u.Uid + ":" + u.Gid)
			}
		}
	case !numeric:
		u, err := user.Lookup(name)
		if err != nil {
			return 0, 0, fmt.Errorf("user = %q: no such user here; accepted: a user other than root, or numbers, as in \"65534:65534\"", name)
		}
		uid, gid, _ = Numbers(u.Uid + ":" + u.Gid)
	case gid < 0:
		gid = uid
		if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
			_, gid, _ = Numbers(u.Uid + ":" + u.Gid)
		}
	}
	if uid <= 0 || gid <= 0 {
		return 0, 0, fmt.Errorf("user = %q: is privileged, and the network process must not be; accepted: a user and a group other than root", name)
	}
	return uid, gid, nil
}

// Group is the group of the user with this name, if the system knows him.
func Group(name string) (gid int, known bool) {
	u, err := user.Lookup(name)
	if err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	return gid, err == nil
}

// Numbers reads UID or UID:GID, as the kernel has them; gid is -1 if there is none.
func Numbers(text string) (uid, gid int, ok bool) {
	first, second, both := strings.Cut(text, ":")
	uid, err := strconv.Atoi(first)
	if gid = -1; err == nil && both {
		gid, err = strconv.Atoi(second)
	}
	digits := strings.Trim(first+second, "0123456789") == ""
	return uid, gid, err == nil && digits && uid < math.MaxUint32 && gid < math.MaxUint32
}
