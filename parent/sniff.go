package parent

import (
	"errors"
	"io"
	"log/slog"

	"github.com/rvrrpd/rvrrpd/conf"
)

// SniffOptions say what Sniff listens to and what it writes.
type SniffOptions struct {
	// Interface to listen on, live; or File, a pcap or pcapng capture to
	// read. Exactly one of them is given.
	Interface, File string
	// Write is the pcap file that the frames shown are written to; empty: none.
	Write string
	// Count of packets to show before the end; 0: no limit.
	Count int
	// VRID whose packets are shown, 1..255; 0: all.
	VRID int
	// JSON: one object a line, instead of text.
	JSON bool
	// Detail of the text: 0 is one line a packet, more is more.
	Detail int
	// Config judges each packet as the daemon with it would; nil: no verdict.
	Config *conf.Config
	// Out is written to, whole lines at once.
	Out io.Writer
	// Log gets what is not a packet.
	Log *slog.Logger
}

// Sniff shows the VRRP packets of an interface or of a capture file, until
// the end of the file, Count packets, or SIGINT or SIGTERM.
func Sniff(o SniffOptions) error {
	if (o.Interface == "") == (o.File == "") {
		return errors.New("sniffer: exactly one of an interface and a capture file must be given")
	}
	return errors.New("sniffer: no capture is possible in this build")
}
