package reader

import (
	"errors"
	"io"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/rvrrpd/rvrrpd/ipc/reading"
	"golang.org/x/sys/unix"
)

// leastFile is how much is read of a file at the least, in bytes: of some the kernel tells
// no size.
const leastFile = 64 << 10

// maxNames is how many users are remembered, known or not.
const maxNames = 1000

// readFile reads a regular file, without waiting for whoever may be at its other end, and
// says what it is, or why it could not be read.
func readFile(path string) (data []byte, a reading.Answer, err error) {
	defer func() {
		if err != nil {
			clear(data)
			a = reading.Answer{Errno: unix.EIO}
			errors.As(err, &a.Errno)
		}
	}()
	// What it does to open a device nobody knows.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, reading.Answer{Mode: info.Mode()}, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, a, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, a, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, a, errors.ErrUnsupported
	}
	a = reading.Answer{Mode: info.Mode(), UID: int(stat.Uid), GID: int(stat.Gid), Size: info.Size(), Follows: info.Mode().IsRegular()}
	if !a.Follows {
		return nil, a, nil
	}
	// One piece of memory, so that there is one to wipe.
	data = make([]byte, min(max(a.Size, leastFile)+1, reading.MaxFile))
	n, err := io.ReadFull(f, data)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		err = nil
	case err == nil && n < reading.MaxFile: // it has grown meanwhile: half of it is worse than nothing
		err = unix.EAGAIN
	}
	return data[:n], a, err
}

// group looks up a user, once.
func (s *Source) group(name string) reading.Membership {
	m, known := s.groups[name]
	if known || len(s.groups) >= maxNames {
		return m
	}
	if u, err := user.Lookup(name); err == nil {
		gid, err := strconv.Atoi(u.Gid)
		m = reading.Membership{GID: gid, Known: err == nil}
	}
	s.groups[name] = m
	return m
}
