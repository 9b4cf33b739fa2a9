package plot

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// meddling are requests of route netlink that take an interface's service away.
func meddling(index int) (all [][]byte) {
	link := func(kind, flags, change uint16) []byte {
		body := binary.NativeEndian.AppendUint16(nil, unix.AF_UNSPEC)
		body = binary.NativeEndian.AppendUint16(body, 0)
		body = binary.NativeEndian.AppendUint32(body, uint32(index))
		body = binary.NativeEndian.AppendUint32(body, uint32(flags))
		return request(kind, 0, binary.NativeEndian.AppendUint32(body, uint32(change)))
	}
	stranger := attribute(unix.IFA_LOCAL, []byte{10, 9, 0, 77})
	address := append([]byte{unix.AF_INET, 24, 0, 0}, binary.NativeEndian.AppendUint32(nil, uint32(index))...)
	route := []byte{unix.AF_INET, 8, 0, 0, unix.RT_TABLE_MAIN, 112, 0, unix.RTN_UNICAST, 0, 0, 0, 0}
	route = append(route, attribute(unix.RTA_DST, []byte{11, 0, 0, 0})...)
	route = append(route, attribute(unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(index)))...)
	return [][]byte{
		link(unix.RTM_NEWLINK, 0, unix.IFF_UP), link(unix.RTM_DELLINK, 0, 0),
		request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, append(address, stranger...)),
		request(unix.RTM_DELADDR, 0, append(address, attribute(unix.IFA_LOCAL, []byte{10, 9, 0, 254})...)),
		request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, route),
		request(unix.RTM_DELROUTE, 0, route),
	}
}

// request is one with a header.
func request(kind, flags uint16, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	return append(append(b, make([]byte, 8)...), body...)
}

// attribute is one of four bytes, or of any number that needs no padding.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	return append(binary.NativeEndian.AppendUint16(b, kind), value...)
}
