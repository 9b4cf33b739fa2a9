package children

import (
	"fmt"
	"os"

	"github.com/rvrrpd/rvrrpd/walls/account"
)

// Identity looks up the user the child runs as. That of a service user with two
// capabilities has the same user id, in a user namespace of its own.
func Identity(name string) (uid, gid int, err error) {
	uid, gid, err = account.Identity(name)
	own := os.Geteuid()
	switch {
	case own == 0:
		return uid, gid, err
	case name != "" && (err != nil || uid != own):
		return 0, 0, fmt.Errorf("user %s: started as user id %d, which the network process has to keep", name, own)
	}
	return own, os.Getegid(), nil
}
