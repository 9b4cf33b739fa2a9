package parent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"golang.org/x/sys/unix"
)

// spawnerVariable names, in the environment, the socket behind which a service
// manager starts a spawner for whoever connects: its unit has the rights that
// starting the network process takes, and the parent's has not even their
// shadow. Without it the parent starts the spawner itself.
const spawnerVariable = "RVRRPD_SPAWNER"

// requestIdentity is answered with the user id that the child will have.
const requestIdentity = 'I'

// activated prepares a spawner that a service manager has started with the
// child's user as its argument and the connection as its standard input. It
// serves nobody but its own user, and ends when the connection does.
func activated(name string) (uid, gid int, err error) {
	if err := unix.CloseRange(3, 1<<32-1, 0); err != nil {
		return 0, 0, fmt.Errorf("close inherited descriptors: %w", err)
	}
	peer, err := unix.GetsockoptUcred(spawnerFD, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, fmt.Errorf("who asks: %w", err)
	}
	if int(peer.Uid) != os.Geteuid() {
		return 0, 0, fmt.Errorf("user id %d asks, and only %d may", peer.Uid, os.Geteuid())
	}
	if os.Geteuid() == 0 {
		return identity(name)
	}
	if uid, _, err := conf.Identity(name); err != nil || uid != os.Geteuid() {
		return 0, 0, fmt.Errorf("user %s: started as user id %d", name, os.Geteuid())
	}
	return os.Geteuid(), os.Getegid(), nil
}

// connectSpawner gets a spawner from the service manager.
func connectSpawner(path string, uid int) (_ *spawner, err error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%s=%s: must be an absolute path", spawnerVariable, path)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("spawner: %s: %w", path, err)
		}
	}()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s := &spawner{fd: fd, words: -1}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.patience(); err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, err
	}
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, err
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("user id %d listens; neither root nor %d", peer.Uid, os.Geteuid())
	}
	have, err := s.ask(requestIdentity)
	if err != nil {
		return nil, err
	}
	if have != uid {
		return nil, fmt.Errorf("starts the network process as user id %d; the configuration says %d", have, uid)
	}
	return s, nil
}

// patience bounds how long the spawner is waited for.
func (s *spawner) patience() error {
	timeout := unix.NsecToTimeval(spawnTimeout * int64(time.Second))
	return errors.Join(unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout))
}
