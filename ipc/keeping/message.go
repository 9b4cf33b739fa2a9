// Package keeping is the lane between the parent and the keeper, which writes the log.
package keeping

import (
	"context"
	"encoding/binary"
	"log/slog"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Kind is the first byte of a message; behind it is what it says, in JSON but for Hello,
// Journal, Violation and Report.
type Kind byte

// What the keeper says.
const (
	// Hello is the keeper's build.
	Hello Kind = 'H'
	// Journal are lines for the service manager's journal, which goes by who writes them.
	Journal Kind = 'J'
	// Violation: the network process has reported what only a broken one does, in words.
	Violation Kind = 'V'
	// Marked: temporary sinks have written what came before Mark.
	Marked Kind = 'K'
)

// What the parent says.
const (
	// Begin is a Beginning. With it come the descriptor of the lane of lines, on which all
	// that follows is but for Output, Routes and Active, and one for each sink that is no
	// journal.
	Begin Kind = 'B'
	// Output is a Sink that goes on elsewhere; its descriptor comes with it. Turn says on the
	// lane of lines that there is one: the lines behind it go there.
	Output Kind = 'O'
	Turn   Kind = 'T'
	// Restyle is a Style.
	Restyle Kind = 'S'
	// Log is a Line.
	Log Kind = 'L'
	// Naming is a Names.
	Naming Kind = 'N'
	// Report is when they came, and messages of package ipc/report with their headers.
	Report Kind = 'R'
	// Lost is how many lines found no room on the lane here.
	Lost Kind = 'X'
	// Routes is a Routing. With the first of them comes a socket of route netlink.
	Routes Kind = 'P'
	// Active is whether a virtual router is.
	Active Kind = 'C'
	// Mark wants to be answered with Marked; it ends the sinks that are Temporary.
	Mark Kind = 'M'
)

// Bounds.
const (
	// MaxMessage is the longest message, in bytes.
	MaxMessage = 256 << 10
	// MaxSaid is the longest one of the keeper's.
	MaxSaid = 64 << 10
	// MaxSinks is how many sinks there may be.
	MaxSinks = 4
	// MaxNames is how many slots, and how many links, are in one Names.
	MaxNames = 500
)

// Beginning is what a keeper has to know before the first line.
type Beginning struct {
	Style Style
	Sinks []Sink
}

// Style is how lines are written.
type Style struct {
	Level  slog.Level // of the least that are
	JSON   bool
	Layout string // of time.Format
}

// Sink is where lines go.
type Sink struct {
	Name      string
	Least     slog.Level
	Journal   bool // the service manager's: lines have a priority, and no time
	Temporary bool
}

// Line is a line of the log.
type Line struct {
	At      int64 // UTC, ns since 1970
	Zone    int   // seconds east of that
	Level   slog.Level
	Text    string
	Hearsay bool // somebody else has caused it: there is a budget for those
	Attrs   []Attr
}

// Names are some of what reports are about, in a generation of the configuration.
type Names struct {
	Generation uint32
	Links      map[ipc.Link]string
	Slots      map[ipc.Slot]Slot
}

// Slot is a virtual router in words.
type Slot struct {
	Name      string
	Interface string
	Link      string
}

// ReportHeader is the length of what stands before the message in a Report: At and Zone as in
// a Line, of eight and four bytes.
const ReportHeader = 12

// AppendReport begins a Report.
func AppendReport(b []byte, at int64, zone int) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, byte(Report)), uint64(at))
	return binary.LittleEndian.AppendUint32(b, uint32(int32(zone)))
}

// Hearsay is the context of lines that the network process or a neighbor has caused. Those
// that name a virtual router, "vr", tell what became of it.
var Hearsay = context.WithValue(context.Background(), hearsayKey{}, true)

type hearsayKey struct{}

// Attr is an attribute of a line.
type Attr struct {
	Key      string
	Duration bool // Value is one, in ns
	Value    any  // a string, a number, a bool, nil or a list of strings
}
