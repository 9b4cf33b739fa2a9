// Package reader has the configuration read by a process that may do nothing else, and
// believes of it what a configuration could say.
package reader

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
)

// readTime is how long a reader may take in all.
const readTime = 20 * time.Second

// ErrRefused is what a reader says of a configuration that is not valid; the error around it
// says why, line by line.
var ErrRefused = errors.New("the configuration is refused")

// refusal is ErrRefused in the reader's words.
type refusal struct {
	text   string
	denied error // fs.ErrPermission where a file could not be read for that
}

func (r refusal) Error() string   { return r.text }
func (r refusal) Unwrap() []error { return []error{ErrRefused, r.denied} }

// Source is a configuration file, and what has it read. It belongs to one goroutine.
type Source struct {
	spawner  *children.Spawner
	patience time.Duration
	task     reading.Task
	groups   map[string]reading.Membership // a daemon that reloads reaches no list of users
}

// New is the source at a path, in a format.
func New(spawner *children.Spawner, path string, format conf.Format, daemon bool) *Source {
	return &Source{
		spawner: spawner, patience: readTime,
		task:   reading.Task{Path: path, Format: format, Daemon: daemon, Credentials: os.Getenv(conf.CredentialsVariable), UID: os.Geteuid(), GID: os.Getegid()},
		groups: make(map[string]reading.Membership),
	}
}

// Path is where the configuration is.
func (s *Source) Path() string { return s.task.Path }

// Load has the configuration read, and lists, after the first time, what of it has no effect
// before a restart. The error is ErrRefused if the configuration is not valid, and
// fs.ErrPermission too if a file of it could not be read for that.
func (s *Source) Load() (c *conf.Config, later []string, err error) {
	for range children.StruckTries {
		var e children.Ending
		c, later, e, err = s.load()
		if err == nil || !e.Struck() {
			break
		}
	}
	return c, later, err
}

// load is Load with one reader, and says how that has ended.
func (s *Source) load() (c *conf.Config, later []string, e children.Ending, err error) {
	child, err := s.spawner.Spawn(ipc.ReaderProgram)
	if err != nil {
		return nil, nil, e, fmt.Errorf("reader: %w", err)
	}
	h := &hearing{
		source: s, lane: reading.Over(child.Control, ipc.Monotonic()+int64(s.patience)),
		verify: func(build string) error { return s.spawner.Verify(child, build) },
	}
	err = h.hold()
	ipc.Scrub() // here, and not where the loop runs
	e, lost := s.spawner.End(child)
	if err == nil {
		err = lost
	}
	if err != nil {
		h.config.Wipe()
		return nil, nil, e, explain(err, e)
	}
	if s.task.Started == nil {
		top := h.config
		top.Routers, top.Routes, top.Warnings = nil, nil, nil
		s.task.Started = &top
	}
	return &h.config, h.later, e, nil
}

// explain says why there is no configuration, with how the reader has ended if that is it.
func explain(err error, e children.Ending) error {
	if errors.Is(err, ErrRefused) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("ended: %v", e)
	}
	if e.Words != "" {
		err = fmt.Errorf("%w: %s", err, e.Words)
	}
	return fmt.Errorf("reader: %w", err)
}
