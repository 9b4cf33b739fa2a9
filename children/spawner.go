// Package children is the end of the socket at which other processes are asked for: of
// the spawner, and of the network process that it starts. Whoever needs one, the parent
// and the sniffer, links it.
package children

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/walls"
	"golang.org/x/sys/unix"
)

// spawnerName is the program that starts the network process: package spawn.
const spawnerName = "rvrrpd-spawn"

// spawnerVariable names, in the environment, the socket behind which a service
// manager starts a spawner for whoever connects: its unit has the rights that
// starting the network process takes, and the parent's has not even their
// shadow. Without it the parent starts the spawner itself.
const spawnerVariable = "RVRRPD_SPAWNER"

const (
	spawnTimeout = 5 // seconds the parent waits for an answer
	spawnTries   = 5 // starts of a spawner that a signal kills at once
)

// Spawner is our end of a spawner, and holds one child at a time.
type Spawner struct {
	pid     int // 0: a service manager has started it
	fd      int
	words   int // pipe with what it wrote before it died; -1: it has a log
	program int // the child's, O_PATH
}

// Start starts the spawner, or has it started, for a child of this user and group:
// before the caller gives up what it takes. The calling thread must stay alive as long
// as the spawner. A signal that was sent to all and comes before the spawner can ignore
// it, while Go prepares its program, costs no more than another start.
func Start(uid, gid int) (s *Spawner, err error) {
	if s, err = startOrConnect(uid, gid); err != nil {
		return nil, err
	}
	if s.program, err = openProgram(childName); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func startOrConnect(uid, gid int) (s *Spawner, err error) {
	if path := os.Getenv(spawnerVariable); path != "" {
		return connect(path, uid)
	}
	if os.Geteuid() == 0 {
		why := fmt.Sprintf("root needs them to start the network process as user id %d; or start the daemon as that user, with CAP_NET_ADMIN and CAP_NET_RAW", uid)
		if err := walls.MustHave(walls.SpawnerKept, why); err != nil {
			return nil, err
		}
	}
	for range spawnTries {
		if s, err = fork(uid, gid); err != nil {
			return nil, err
		}
		if err = s.identify(uid); err == nil {
			return s, nil
		}
		if ws := s.Close(); !ws.Signaled() || ws.Signal() == unix.SIGSYS {
			break
		}
	}
	return nil, err
}

func fork(uid, gid int) (*Spawner, error) {
	program, err := openProgram(spawnerName)
	if err != nil {
		return nil, err
	}
	defer unix.Close(program)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("spawner: %w", err)
	}
	defer unix.Close(pair[1])
	s := &Spawner{fd: pair[0]}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		unix.Close(s.fd)
		return nil, fmt.Errorf("spawner: %w", err)
	}
	defer unix.Close(pipe[1])
	s.words = pipe[0]
	w := uintptr(pipe[1])
	s.pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(program), []string{spawnerName, strconv.Itoa(uid), strconv.Itoa(gid)}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1", "GOTRACEBACK=all"}, Files: []uintptr{uintptr(pair[1]), w, w},
		Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err == nil {
		err = s.patience()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("spawner: %w", err)
	}
	return s, nil
}

// ask sends a request and waits for the answer.
func (s *Spawner) ask(request byte, fds ...int) (a ipc.SpawnAnswer, err error) {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(s.fd, []byte{request}, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		return a, fmt.Errorf("spawner: %w%s", err, s.said())
	}
	b := make([]byte, ipc.SpawnAnswerMax)
	n, err := unix.Read(s.fd, b)
	for err == unix.EINTR {
		n, err = unix.Read(s.fd, b)
	}
	switch {
	case err != nil:
		return a, fmt.Errorf("spawner: %w%s", err, s.said())
	case n == 0:
		return a, fmt.Errorf("spawner: has ended%s", s.said())
	}
	if a, err = ipc.DecodeSpawnAnswer(b[:n]); err != nil {
		return a, fmt.Errorf("spawner: %w", err)
	}
	if a.Errno != 0 {
		return a, errors.New(a.Text)
	}
	return a, nil
}

// identify holds a spawner against our build, and its child's user against the
// one configured.
func (s *Spawner) identify(uid int) error {
	a, err := s.ask(ipc.SpawnIdentity)
	switch {
	case err != nil:
		return err
	case a.Text != ipc.Build():
		return fmt.Errorf("%s is build %q, this is %q", spawnerName, Plain(a.Text, '?'), ipc.Build())
	case int(a.Number) != uid:
		return fmt.Errorf("starts the network process as user id %d; the configuration says %d", a.Number, uid)
	}
	return nil
}

// said is what the spawner wrote before it died.
func (s *Spawner) said() string {
	if s.words < 0 {
		return "; the log of its service says why"
	}
	if words := lastWords(s.words); words != "" {
		return ": " + words
	}
	return ""
}

// Close ends the spawner, which ends the child if there is one.
func (s *Spawner) Close() (ws unix.WaitStatus) {
	unix.Close(s.fd)
	if s.words >= 0 {
		unix.Close(s.words)
	}
	if s.pid > 0 {
		unix.Wait4(s.pid, &ws, 0, nil)
	}
	return ws
}

// Over is a spawner that somebody else has started, at the other end of a socket, and
// the program that its child is to be.
func Over(fd, program int) *Spawner { return &Spawner{fd: fd, words: -1, program: program} }

// connect gets a spawner from the service manager.
func connect(path string, uid int) (_ *Spawner, err error) {
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
	s := Over(fd, -1)
	defer func() {
		if err != nil {
			s.Close()
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
	return s, s.identify(uid)
}

// patience bounds how long the spawner is waited for.
func (s *Spawner) patience() error {
	timeout := unix.NsecToTimeval(spawnTimeout * int64(time.Second))
	return errors.Join(unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout))
}
