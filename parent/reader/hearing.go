package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
)

// Bounds of what a reader may say.
const (
	// maxMessages is more than a configuration has parts, files and secrets.
	maxMessages = 1 << 18
	// maxBytes is more than the longest configuration takes.
	maxBytes = 64 << 20
	// maxLines is how many lines of each kind are kept: the loop logs them.
	maxLines = 1000
)

// hearing is a conversation with a reader, which may say anything: each of its messages is
// held against the ranges of a configuration when it comes.
type hearing struct {
	source   *Source
	lane     *reading.Lane
	verify   func(build string) error
	config   conf.Config
	later    []string
	begun    bool // the top has been told
	denied   error
	messages int
	bytes    int
}

// hold answers the reader until it has told the configuration.
func (h *hearing) hold() error {
	build, err := h.lane.Expect(reading.Hello)
	if err != nil {
		return err
	}
	if err := h.verify(string(build)); err != nil {
		return err
	}
	if err := h.lane.SayJSON(reading.Begin, h.source.task); err != nil {
		return err
	}
	for done := false; !done; {
		k, payload, err := h.hear()
		if err != nil {
			return err
		}
		if done, err = h.heard(k, payload); err != nil {
			return err
		}
	}
	return h.config.Check()
}

// hear waits for a message, of which there may be so many, and no more.
func (h *hearing) hear() (reading.Kind, []byte, error) {
	k, payload, err := h.lane.Hear()
	h.messages++
	h.bytes += len(payload)
	if err == nil && (h.messages > maxMessages || h.bytes > maxBytes) {
		err = errors.New("talks without end")
	}
	return k, payload, err
}

// heard acts on a message, and says whether it was the last.
func (h *hearing) heard(k reading.Kind, payload []byte) (done bool, err error) {
	switch {
	case k == reading.Open:
		return false, h.open(string(payload))
	case k == reading.Group:
		return false, h.lane.SayJSON(reading.Member, h.source.group(string(payload)))
	case k == reading.Refused && !h.begun:
		return true, refusal{firstLines(printable(string(payload))), h.denied}
	case k == reading.Top && !h.begun:
		h.begun = true
		return false, reading.Decode(payload, &h.config)
	case !h.begun:
	case k == reading.Warning:
		h.config.Warnings = appendLine(h.config.Warnings, payload)
		return false, nil
	case k == reading.Later:
		h.later = appendLine(h.later, payload)
		return false, nil
	case k == reading.Route:
		return false, h.route(payload)
	case k == reading.Router:
		return false, h.router(payload)
	case k == reading.Done:
		return true, nil
	}
	return false, fmt.Errorf("message %q out of place", byte(k))
}

// appendLine adds a line to those that the log will have.
func appendLine(lines []string, text []byte) []string {
	switch {
	case len(lines) < maxLines:
		line, _, _ := strings.Cut(printable(string(text)), "\n")
		return append(lines, line)
	case len(lines) == maxLines:
		return append(lines, "and more")
	}
	return lines
}

// firstLines cuts a text of more lines than the log will have.
func firstLines(text string) string {
	lines := strings.SplitAfterN(text, "\n", maxLines+1)
	if len(lines) > maxLines {
		lines[maxLines] = "and more"
	}
	return strings.Join(lines, "")
}

// route adds a route.
func (h *hearing) route(text []byte) error {
	if len(h.config.Routes) == conf.MaxRoutes {
		return errors.New("too many routes")
	}
	var r conf.Route
	if err := reading.Decode(text, &r); err != nil {
		return err
	}
	h.config.Routes = append(h.config.Routes, r)
	return r.Check()
}

// router adds a virtual router, with the secrets that follow.
func (h *hearing) router(text []byte) error {
	if len(h.config.Routers) == conf.MaxRouters {
		return errors.New("too many virtual routers")
	}
	h.config.Routers = append(h.config.Routers, conf.Router{})
	r := &h.config.Routers[len(h.config.Routers)-1] // to be wiped with it, whatever comes
	if err := reading.Decode(text, r); err != nil {
		return err
	}
	defer h.lane.Wipe()
	for _, secret := range r.Secrets() {
		k, text, err := h.hear()
		if err == nil && k != reading.Secret {
			err = fmt.Errorf("message %q, and no secret", byte(k))
		}
		if err != nil {
			return err
		}
		if len(text) > 0 {
			*secret = bytes.Clone(text)
		}
	}
	return r.Check()
}

// open hands over a file.
func (h *hearing) open(path string) error {
	data, answer, err := readFile(path)
	defer clear(data) // there may be secrets in it
	if errors.Is(err, fs.ErrPermission) {
		h.denied = fs.ErrPermission
	}
	if err := h.lane.SayJSON(reading.File, answer); err != nil || !answer.Follows {
		return err
	}
	return h.lane.Say(reading.Data, data)
}

// printable is a text without what could confuse a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (!unicode.IsPrint(r) || r == unicode.ReplacementChar) {
			return '?'
		}
		return r
	}, text)
}
