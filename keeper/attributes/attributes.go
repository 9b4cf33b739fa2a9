// Package attributes reads the attributes of messages of route netlink.
package attributes

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Each calls a function with each attribute, its type and value, and says whether all are
// whole. The library's own takes the padding behind the last for granted, and what stands in
// a lock's file may have been cut off there.
func Each(m []byte, each func(kind uint16, value []byte)) bool {
	for len(m) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(m))
		if size < unix.SizeofRtAttr || size > len(m) {
			return false
		}
		each(binary.NativeEndian.Uint16(m[2:]), m[unix.SizeofRtAttr:size])
		m = m[min(len(m), (size+3)&^3):]
	}
	return true
}
