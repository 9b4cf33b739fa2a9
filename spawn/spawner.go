// Package spawn is the spawner: the process that starts the network process and the reader,
// ends them and looks at their walls. So the parent, which holds the sockets and
// the configuration, can do without executing, without changing user ids and
// without the mounts that those make on their way; and the
// spawner, which can do that, needs no capability over the network and reads
// nothing but three bytes at a time.
package spawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/rights"
	"github.com/rvrrpd/rvrrpd/walls"
	"github.com/rvrrpd/rvrrpd/walls/account"
	"golang.org/x/sys/unix"
)

// Name is the spawner's own.
const Name = "rvrrpd-spawn"

// requests is the spawner's end of the socket pair.
const requests = 0

// Run is the spawner's life; its arguments are the child's user and group id,
// or from a service manager the name of its user. It ends when the parent's
// end of the socket is closed, as by the parent's death, and kills those first
// that it has started. It must be called from the main goroutine, locked to its
// thread, whose mask of signals those inherit.
func Run(args []string) error {
	notOurs := errors.New("the spawner is started by rvrrpd, or by a service manager for it")
	if kind, err := unix.GetsockoptInt(requests, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return notOurs
	}
	var uid, gid int
	var err error
	switch len(args) {
	case 1:
		uid, gid, err = activated(args[0])
	case 2:
		uid, gid, err = started(args)
	default:
		err = notOurs
	}
	if err != nil {
		return err
	}
	// Its program has been executed by descriptor, whose number would be its name.
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData(Name+"\x00"))), 0, 0, 0); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	var kept []uintptr
	if os.Geteuid() == 0 {
		kept = walls.SpawnerKept
	}
	if err := walls.Confine(kept); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	if err := walls.LoadFilter(syscallFilter); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	s := &spawner{uid: uid, gid: gid, pids: make(map[ipc.Program]int)}
	return s.serve()
}

// started prepares a spawner that the parent has started.
func started(args []string) (uid, gid int, err error) {
	uid, err1 := strconv.Atoi(args[0])
	gid, err2 := strconv.Atoi(args[1])
	return uid, gid, errors.Join(err1, err2)
}

// activated prepares a spawner that a service manager has started with the
// child's user as its argument and the connection as its standard input. It
// serves nobody but its own user, and ends when the connection does.
func activated(name string) (uid, gid int, err error) {
	if err := unix.CloseRange(3, 1<<32-1, 0); err != nil {
		return 0, 0, fmt.Errorf("close inherited descriptors: %w", err)
	}
	peer, err := unix.GetsockoptUcred(requests, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, fmt.Errorf("who asks: %w", err)
	}
	if int(peer.Uid) != os.Geteuid() {
		return 0, 0, fmt.Errorf("user id %d asks, and only %d may", peer.Uid, os.Geteuid())
	}
	uid, gid, err = account.Identity(name)
	if os.Geteuid() == 0 {
		return uid, gid, err
	}
	if err != nil || uid != os.Geteuid() {
		return 0, 0, fmt.Errorf("user %s: started as user id %d", name, os.Geteuid())
	}
	return os.Geteuid(), os.Getegid(), nil
}

// spawner is the state of the spawner.
type spawner struct {
	uid, gid int
	pids     map[ipc.Program]int // of children, not waited for yet
}

func (s *spawner) serve() error {
	defer func() {
		for _, pid := range s.pids {
			end(pid)
		}
	}()
	request, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*ipc.SpawnDescriptors))
	for {
		n, oobn, _, _, err := unix.Recvmsg(requests, request, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		fds, _ := rights.Of(oob[:oobn])
		answer := s.answer(request[:n], fds)
		if err := unix.Send(requests, encode(answer), 0); err != nil {
			return err
		}
	}
}

// answer does what is asked for.
func (s *spawner) answer(request []byte, fds []int) (a ipc.SpawnAnswer) {
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	err := error(unix.EPROTO)
	if len(request) == 3 {
		a, err = s.do(request[0], ipc.Program(request[1]), fds)
		a.Sequence = request[2]
	}
	if err != nil {
		a.Errno, a.Text = unix.EPERM, err.Error()
		errors.As(err, &a.Errno)
	}
	return a
}

// do does what is asked for about a program.
func (s *spawner) do(request byte, p ipc.Program, fds []int) (a ipc.SpawnAnswer, err error) {
	name, known := ipc.Programs[p]
	pid, runs := s.pids[p]
	switch {
	case request == ipc.SpawnIdentity:
		a.Number, a.Text = int32(s.uid), ipc.Build()
	case request == ipc.SpawnStart && known && len(fds) == ipc.SpawnDescriptors:
		if runs { // nobody has waited for the answer about it
			end(pid)
			delete(s.pids, p)
		}
		if pid, err = s.start(name, fds); err == nil {
			s.pids[p], a.Number = pid, int32(pid)
		}
	case request == ipc.SpawnVerify && runs:
		err = verify(p, pid, s.uid, s.gid)
	case request == ipc.SpawnEnd && runs:
		a.Number = int32(end(pid))
		delete(s.pids, p)
	default:
		err = unix.EPROTO
	}
	return a, err
}

// end kills a child and waits for it; how it ended is its own doing if it
// was on its way already. Its number is nobody else's until then.
func end(pid int) (ws unix.WaitStatus) {
	unix.Kill(pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
			return ws
		}
	}
}

// encode writes an answer as ipc.DecodeSpawnAnswer reads it, and cuts what is
// too long.
func encode(a ipc.SpawnAnswer) []byte {
	b := binary.NativeEndian.AppendUint32([]byte{a.Sequence}, uint32(a.Number))
	b = append(binary.NativeEndian.AppendUint32(b, uint32(a.Errno)), a.Text...)
	return b[:min(len(b), ipc.SpawnAnswerMax)]
}
