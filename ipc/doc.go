// Package ipc is the language between the parent, which holds the
// privileges, and the network process, which meets the packets. It knows
// every message as a plain struct and one table row, an exact-length codec,
// and the SOCK_SEQPACKET lanes the messages travel on.
package ipc
