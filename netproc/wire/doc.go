// Package wire reads and writes what travels in an IP packet of protocol 112:
// the IPv4 header around a VRRP message, the messages of VRRP version 2
// (RFC 3768) and version 3 (RFC 9568), and their checksums. It is pure: bytes
// in, values out, and the other way round. Reading does not allocate.
package wire
