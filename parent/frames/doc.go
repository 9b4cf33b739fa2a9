// Package frames is the edge to the wire: what VRRP packets come in, unread, and what
// frames go out, whose headers follow from the grant.
package frames
