// Package read is the reader: the process that reads the text of the configuration, and is
// gone when it has said what that means. It opens no file: the parent hands it the bytes.
package read

import (
	"bytes"
	"io/fs"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
	"github.com/rvrrpd/rvrrpd/conf/source"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
)

// Run reads one configuration. The error is about the lane, or what came through it: what is
// wrong with the configuration goes to the parent.
func Run(lane *reading.Lane) error {
	if err := lane.Say(reading.Hello, []byte(ipc.Build())); err != nil {
		return err
	}
	files := &handed{lane: lane}
	if err := expect(lane, reading.Begin, &files.task); err != nil {
		return err
	}
	c, err := source.LoadFrom(files, files.task.Path, files.task.Format)
	if files.lost != nil {
		return files.lost
	}
	if err != nil {
		return lane.Say(reading.Refused, shorten([]byte(err.Error())))
	}
	defer c.Wipe()
	return report(lane, &files.task, c)
}

// expect waits for a message of a kind, and decodes it.
func expect(lane *reading.Lane, want reading.Kind, into any) error {
	text, err := lane.Expect(want)
	if err != nil {
		return err
	}
	return reading.Decode(text, into)
}

// shorten cuts a text of many lines so that a message has room for it.
func shorten(text []byte) []byte {
	const rest = "\nand more"
	if len(text) <= reading.MaxMessage {
		return text
	}
	text = text[:reading.MaxMessage-len(rest)]
	return append(text[:max(0, bytes.LastIndexByte(text, '\n'))], rest...)
}

// report tells the parent a configuration.
func report(lane *reading.Lane, task *reading.Task, c *conf.Config) error {
	top := *c
	top.Routers, top.Routes, top.Warnings = nil, nil, nil
	if err := lane.SayJSON(reading.Top, &top); err != nil {
		return err
	}
	for _, w := range c.Warnings {
		if err := lane.Say(reading.Warning, []byte(w)); err != nil {
			return err
		}
	}
	if task.Started != nil {
		for _, change := range source.Later(task.Started, c, task.Daemon) {
			if err := lane.Say(reading.Later, []byte(change)); err != nil {
				return err
			}
		}
	}
	for i := range c.Routes {
		if err := lane.SayJSON(reading.Route, &c.Routes[i]); err != nil {
			return err
		}
	}
	for i := range c.Routers {
		r := &c.Routers[i]
		if err := lane.SayJSON(reading.Router, r); err != nil {
			return err
		}
		for _, secret := range r.Secrets() {
			if err := lane.Say(reading.Secret, *secret); err != nil {
				return err
			}
		}
	}
	return lane.Say(reading.Done, nil)
}

// handed are files that the parent hands over.
type handed struct {
	lane *reading.Lane
	task reading.Task
	lost error // what was wrong with the lane
}

// Read asks for a file.
func (h *handed) Read(path string, limit int) ([]byte, file.Attributes, error) {
	a, data, err := h.fetch(path)
	if err != nil {
		h.lost = err
		return nil, file.Attributes{}, err
	}
	if a.Errno != 0 {
		return nil, file.Attributes{}, &fs.PathError{Op: "open", Path: path, Err: a.Errno}
	}
	defer h.lane.Wipe() // there may be secrets in it
	return bytes.Clone(data[:min(limit, len(data))]), a.Attributes, nil
}

// fetch asks for a file; its bytes are valid until the next message.
func (h *handed) fetch(path string) (a reading.Answer, data []byte, err error) {
	if err := h.lane.Say(reading.Open, []byte(path)); err != nil {
		return a, nil, err
	}
	if err := expect(h.lane, reading.File, &a); err != nil || !a.Follows {
		return a, nil, err
	}
	data, err = h.lane.Expect(reading.Data)
	return a, data, err
}

// Identity is the parent's.
func (h *handed) Identity() (uid, gid int) { return h.task.UID, h.task.GID }

// Group asks for the group of a user.
func (h *handed) Group(user string) (gid int, known bool) {
	var m reading.Membership
	err := h.lane.Say(reading.Group, []byte(user))
	if err == nil {
		err = expect(h.lane, reading.Member, &m)
	}
	if err != nil {
		h.lost = err
	}
	return m.GID, m.Known
}

// Credentials is the parent's directory of them.
func (h *handed) Credentials() string { return h.task.Credentials }
