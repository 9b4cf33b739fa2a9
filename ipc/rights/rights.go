// Package rights reads descriptors that come with a message.
package rights

import "golang.org/x/sys/unix"

// Of are the descriptors in the control messages of recvmsg(2), as cmsg(3) has them. They are
// the caller's to close, also with an error.
func Of(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		if some, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, some...)
		}
	}
	return fds, err
}
