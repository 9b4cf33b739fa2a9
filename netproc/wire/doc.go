// Package wire reads and writes VRRP messages and the IPv4 header in front of
// them. It is pure: bytes in, values out.
package wire
