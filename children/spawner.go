// Package children is the end of the socket at which other processes are asked for: of
// the spawner, and of what it starts, the network process and the reader. Whoever needs
// one, the parent and the sniffer, links it.
package children

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/walls"
	"golang.org/x/sys/unix"
)

// spawnerName is the program that starts the others: package spawn.
const spawnerName = "rvrrpd-spawn"

// spawnerVariable names, in the environment, the socket behind which a service
// manager starts a spawner for whoever connects: its unit has the rights that
// starting the others takes, and the parent's has not even their
// shadow. Without it the parent starts the spawner itself.
const spawnerVariable = "RVRRPD_SPAWNER"

const (
	spawnTimeout = 5 // seconds the parent waits for an answer
	spawnTries   = 5 // starts of a spawner that a signal kills at once
)

// Spawner is our end of a spawner. Several goroutines may use it at once.
type Spawner struct {
	mutex    sync.Mutex // one request at a time
	pid      int        // 0: a service manager has started it
	fd       int
	words    int                 // pipe with what it wrote before it died; -1: it has a log
	sequence byte                // of the last request
	uid, gid int                 // of its children; the group is known of our own alone
	programs map[ipc.Program]int // O_PATH
}

// Start starts the spawner, or has it started, for children of this user and group:
// before the caller gives up what it takes. A signal that was sent to all and comes before the
// spawner can ignore it, while Go prepares its program, costs no more than another start.
func Start(uid, gid int, programs ...ipc.Program) (s *Spawner, err error) {
	if path := os.Getenv(spawnerVariable); path != "" {
		s, err = connect(path)
	} else {
		s, err = own(uid, gid)
	}
	if err != nil {
		return nil, err
	}
	s.programs = make(map[ipc.Program]int)
	for _, p := range programs {
		if s.programs[p], err = openProgram(ipc.Programs[p]); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// own starts a spawner of ours.
func own(uid, gid int) (s *Spawner, err error) {
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
		if err = s.identify(); err == nil {
			s.gid = gid
			return s, nil
		}
		if ws := s.Close(); !ws.Signaled() || ws.Signal() == unix.SIGSYS {
			break
		}
	}
	return nil, err
}

// Serve makes the user of children another one, and must be called while there is none and
// nobody else asks. Our own spawner is started anew for that; the user of a service manager's is its unit's to
// say.
func (s *Spawner) Serve(uid, gid int) error {
	switch {
	case s.pid == 0 && s.uid != uid:
		return fmt.Errorf("spawner: starts the network process as user id %d; the configuration says %d", s.uid, uid)
	case s.pid == 0 || s.uid == uid && s.gid == gid:
		return nil
	}
	s.Close()
	next, err := own(uid, gid)
	if err != nil {
		return err
	}
	s.pid, s.fd, s.words, s.uid, s.gid = next.pid, next.fd, next.words, next.uid, next.gid
	return nil
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

// ask sends a request about a program and waits for the answer.
func (s *Spawner) ask(request byte, p ipc.Program, fds ...int) (a ipc.SpawnAnswer, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	s.sequence++
	if err := unix.Sendmsg(s.fd, []byte{request, byte(p), s.sequence}, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		return a, fmt.Errorf("spawner: %w%s", err, s.said())
	}
	// One that nobody has waited for any more may come first.
	for known := false; !known; known = a.Sequence == s.sequence {
		if a, err = s.answer(); err != nil {
			return a, err
		}
	}
	if a.Errno != 0 {
		return a, errors.New(a.Text)
	}
	return a, nil
}

// answer waits for an answer.
func (s *Spawner) answer() (a ipc.SpawnAnswer, err error) {
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
	return a, nil
}

// identify holds a spawner against our build, and asks for its children's user.
func (s *Spawner) identify() error {
	a, err := s.ask(ipc.SpawnIdentity, 0)
	if err != nil {
		return err
	}
	if a.Text != ipc.Build() {
		return fmt.Errorf("%s is build %q, this is %q", spawnerName, Plain(a.Text, '?'), ipc.Build())
	}
	s.uid = int(a.Number)
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

// Close ends the spawner, which ends the children that there are. It leaves nothing behind
// that could be a stranger's later, for whoever asks yet.
func (s *Spawner) Close() (ws unix.WaitStatus) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	unix.Close(s.fd)
	if s.words >= 0 {
		unix.Close(s.words)
	}
	if s.pid > 0 {
		unix.Wait4(s.pid, &ws, 0, nil)
	}
	s.fd, s.words, s.pid = -1, -1, 0
	return ws
}

// FD is the socket: the kernel says that it is hung up once the spawner has ended.
func (s *Spawner) FD() int { return s.fd }

// Lost closes a spawner that has ended, and says what it wrote before. Its children live; the
// end of their lanes ends them.
func (s *Spawner) Lost() error {
	defer s.Close()
	return fmt.Errorf("spawner: has ended%s", s.said())
}

// Over is a spawner that somebody else has started, at the other end of a socket, with
// programs that are open.
func Over(fd int, programs map[ipc.Program]int) *Spawner {
	return &Spawner{fd: fd, words: -1, programs: programs}
}

// connect gets a spawner from the service manager.
func connect(path string) (_ *Spawner, err error) {
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
	s := Over(fd, nil)
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
	return s, s.identify()
}

// patience bounds how long the spawner is waited for.
func (s *Spawner) patience() error {
	timeout := unix.NsecToTimeval(spawnTimeout * int64(time.Second))
	return errors.Join(unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout))
}
