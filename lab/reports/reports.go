// Package reports makes messages as the kernel sends them over netlink, for tests.
package reports

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Message is a message of the kernel's, of that many bytes whatever its
// header says.
func Message(kind uint16, sequence, port uint32, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = append(binary.NativeEndian.AppendUint32(b, port), body...)
	return append(b, make([]byte, -len(b)&3)...)
}
