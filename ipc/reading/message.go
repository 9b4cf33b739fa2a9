// Package reading is the lane between the parent and the reader: the process that reads the
// text of the configuration. The parent hands it the bytes of the files that it asks for,
// and gets back a configuration, or what is wrong with the files.
package reading

import (
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
	"golang.org/x/sys/unix"
)

// Kind is the first byte of a message; behind it is what it says.
type Kind byte

// part is a kind of datagram: bytes of a message that goes on in the next.
const part Kind = 'T'

// What the reader says.
const (
	// Hello is the reader's build.
	Hello Kind = 'H'
	// Open asks for the file with this path: answered with File, and Data if there is any.
	Open Kind = 'O'
	// Group asks for the group of the user with this name: answered with Member.
	Group Kind = 'G'
	// Refused is what is wrong with the configuration, line by line; it is the last.
	Refused Kind = 'R'
	// Top is a conf.Config in JSON without what is listed in it. What comes after it is
	// added to its lists.
	Top Kind = 'C'
	// Warning is one of the configuration, a line.
	Warning Kind = 'W'
	// Later is a change that has no effect before a restart, in words.
	Later Kind = 'L'
	// Route is a conf.Route in JSON.
	Route Kind = 'P'
	// Router is a conf.Router in JSON; as many Secret follow as it has, in the order of
	// its Secrets.
	Router Kind = 'V'
	// Secret is one secret, perhaps of no bytes.
	Secret Kind = 'S'
	// Done: that was all.
	Done Kind = 'D'
)

// What the parent says.
const (
	// Begin is a Task in JSON.
	Begin Kind = 'B'
	// File is an Answer in JSON.
	File Kind = 'F'
	// Data are the bytes of a file.
	Data Kind = 'A'
	// Member is a Membership in JSON.
	Member Kind = 'M'
)

// Bounds, in bytes.
const (
	// MaxFile is the most that is handed over of one file: what a configuration may have,
	// and one more.
	MaxFile = conf.MaxFile + 1
	// MaxMessage is the longest message: a virtual router that takes up a whole file.
	MaxMessage = 2 << 20
)

// Task is what the reader is to read.
type Task struct {
	Path   string
	Format conf.Format
	// Credentials is systemd's directory of them, "" for none.
	Credentials string
	// UID and GID are those that the parent opens files as.
	UID, GID int
	// Started is the top of the configuration that the daemon was started with; nil at
	// the start.
	Started *conf.Config
	Daemon  bool // in the daemon mode
}

// Answer says what a file is, or why it could not be read.
type Answer struct {
	Errno unix.Errno
	file.Attributes
	Follows bool // Data
}

// Membership is the group of a user, if the system knows him.
type Membership struct {
	GID   int
	Known bool
}
