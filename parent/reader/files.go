package reader

import (
	"errors"

	"github.com/rvrrpd/rvrrpd/conf/file"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
	"github.com/rvrrpd/rvrrpd/walls/account"
	"golang.org/x/sys/unix"
)

// maxNames is how many users are remembered, known or not.
const maxNames = 1000

// readFile reads a regular file, and says what it is, or why it could not be read.
func readFile(path string) (data []byte, a reading.Answer, err error) {
	data, of, err := file.Read(path, reading.MaxFile)
	if err != nil {
		a.Errno = unix.EIO
		errors.As(err, &a.Errno)
		return data, a, err
	}
	return data, reading.Answer{Attributes: of, Follows: of.Mode.IsRegular()}, nil
}

// group looks up a user, once.
func (s *Source) group(name string) reading.Membership {
	m, known := s.groups[name]
	if known || len(s.groups) >= maxNames {
		return m
	}
	m.GID, m.Known = account.Group(name)
	s.groups[name] = m
	return m
}
