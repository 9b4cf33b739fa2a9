package parent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SpawnerName is the name (argv[0]) under which the daemon's program is the
// spawner: the process that starts the network process, ends it and looks at
// its walls. So the parent, which holds the sockets and the configuration,
// can do without executing, without changing user ids and without the mounts
// that the network process makes on its way; and the spawner, which can do
// that, needs no capability over the network and reads nothing but numbers.
const SpawnerName = "rvrrpd-spawn"

// Requests of the parent to the spawner, one byte each. Start comes with the
// descriptors of the child: pipe for its last words, lanes, program.
const (
	requestStart  = 'S' // answered with the child's pid
	requestVerify = 'V' // answered with what is wrong with its walls, or nothing
	requestEnd    = 'E' // kills it; answered with its wait status
)

const (
	spawnerFD    = 0        // the spawner's end of the socket pair
	startFDs     = 4        // descriptors of a start
	programFD    = 64       // at least: out of the way of the child's own descriptors
	answerMax    = 8 + 1024 // number, error number, text
	spawnTimeout = 5        // seconds the parent waits for an answer
	spawnTries   = 5        // starts of a spawner that a signal kills at once
)

// spawnerKept are the capabilities a spawner that is root works with: the
// child's user and group. One that is not root has none.
var spawnerKept = []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}

// Spawner is the spawner's main function; its arguments are the child's user
// and group id, or from a service manager the name of its user. It ends when the parent's end of the socket is closed, and
// the kernel ends it, and with it the child, when the parent that started it dies.
// It must be called from the main goroutine, locked to its thread.
func Spawner(args []string) error {
	notOurs := errors.New("the spawner is started by rvrrpd, or by a service manager for it")
	if kind, err := unix.GetsockoptInt(spawnerFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
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
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData(SpawnerName+"\x00"))), 0, 0, 0); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	var kept []uintptr
	if os.Geteuid() == 0 {
		kept = spawnerKept
	}
	if err := confine(kept); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	if err := loadFilter(spawnerFilter); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	s := &spawning{uid: uid, gid: gid}
	return s.serve()
}

// started prepares a spawner that the parent has started.
func started(args []string) (uid, gid int, err error) {
	uid, err1 := strconv.Atoi(args[0])
	gid, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	// With the parent's death this process and the child's die. One that has
	// died already is seen at its end of the socket.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return 0, 0, fmt.Errorf("parent death signal: %w", err)
	}
	return uid, gid, nil
}

// spawning is the state of the spawner.
type spawning struct {
	uid, gid int
	pid      int // of the child, not waited for yet; 0 for none
}

func (s *spawning) serve() error {
	request, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*startFDs))
	for {
		n, oobn, _, _, err := unix.Recvmsg(spawnerFD, request, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		if err := unix.Send(spawnerFD, s.answer(request[0], descriptors(oob[:oobn])), 0); err != nil {
			return err
		}
	}
}

// descriptors are those that came with a request.
func descriptors(oob []byte) (fds []int) {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		if rights, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, rights...)
		}
	}
	return fds
}

// answer does what is asked for.
func (s *spawning) answer(request byte, fds []int) []byte {
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	var number int
	var err error
	switch {
	case request == requestIdentity:
		number = s.uid
	case request == requestStart && s.pid == 0 && len(fds) == startFDs:
		s.pid, err = s.start(fds)
		number = s.pid
	case request == requestVerify && s.pid != 0:
		err = verify(s.pid, s.uid, s.gid)
	case request == requestEnd && s.pid != 0:
		number = int(s.end())
	default:
		err = unix.EPROTO
	}
	b := binary.NativeEndian.AppendUint32(nil, uint32(number))
	if err == nil {
		return binary.NativeEndian.AppendUint32(b, 0)
	}
	errno := unix.EPERM
	errors.As(err, &errno)
	b = append(binary.NativeEndian.AppendUint32(b, uint32(errno)), err.Error()...)
	return b[:min(len(b), answerMax)]
}

// end kills the child and waits for it; how it ended is its own doing if it
// was on its way already. Its number is nobody else's until then.
func (s *spawning) end() (ws unix.WaitStatus) {
	unix.Kill(s.pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(s.pid, &ws, 0, nil); err != unix.EINTR {
			s.pid = 0
			return ws
		}
	}
}

// start starts a child behind the first of its walls: a user id, namespaces
// and no privilege outside them. It builds the others itself, and is believed
// only after verify. The calling thread must stay alive as long as the child.
func (s *spawning) start(fds []int) (pid int, err error) {
	program, err := unix.FcntlInt(uintptr(fds[3]), unix.F_DUPFD_CLOEXEC, programFD)
	if err != nil {
		return 0, err
	}
	defer unix.Close(program)
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
			unix.CLONE_NEWUTS | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: s.uid, HostID: s.uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: s.gid, HostID: s.gid, Size: 1}},
		// Valid in the child's own user namespace only; to leave the file
		// system and drop the rest, and gone with the second stage.
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP},
		Pdeathsig:   unix.SIGKILL, Setsid: true,
	}
	if os.Geteuid() == 0 {
		attr.GidMappingsEnableSetgroups = true
		attr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}
	} else {
		// Who is not root may look at the descriptors of a child that is not
		// dumpable only where its user namespace has a 0, and that is ours; and
		// writes its user map only while the child, which shares our memory
		// until it executes, counts as dumpable.
		attr.UidMappings[0].ContainerID, attr.GidMappings[0].ContainerID = 0, 0
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			return 0, err
		}
		defer unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
	w := uintptr(fds[0])
	pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(program), []string{childName}, &syscall.ProcAttr{
		Dir: "/", Env: childEnv, Files: []uintptr{w, w, w, uintptr(fds[1]), uintptr(fds[2])}, Sys: attr,
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w: it takes namespaces of its own, which a container's seccomp profile, user.max_user_namespaces or kernel.unprivileged_userns_clone may refuse (docs/containers.md)", childName, err)
	}
	return pid, nil
}

// spawner is the parent's end.
type spawner struct {
	pid   int // 0: a service manager has started it
	fd    int
	words int // pipe with what it wrote before it died; -1: it has a log
}

// startSpawner starts the spawner, or has it started: before the parent gives up what it takes.
// The calling thread must stay alive as long as the spawner. A signal that was
// sent to all and comes before the spawner can ignore it, while Go prepares
// its program, costs no more than another start.
func startSpawner(uid, gid int) (s *spawner, err error) {
	if path := os.Getenv(spawnerVariable); path != "" {
		return connectSpawner(path, uid)
	}
	if os.Geteuid() == 0 {
		why := fmt.Sprintf("root needs them to start the network process as user id %d; or start the daemon as that user, with CAP_NET_ADMIN and CAP_NET_RAW", uid)
		if err := mustHave(spawnerKept, why); err != nil {
			return nil, err
		}
	}
	for range spawnTries {
		if s, err = forkSpawner(uid, gid); err != nil {
			return nil, err
		}
		if _, err = s.ask(requestIdentity); err == nil {
			return s, nil
		}
		if ws := s.close(); !ws.Signaled() || ws.Signal() == unix.SIGSYS {
			break
		}
	}
	return nil, err
}

func forkSpawner(uid, gid int) (*spawner, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("spawner: %w", err)
	}
	defer unix.Close(pair[1])
	s := &spawner{fd: pair[0]}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		unix.Close(s.fd)
		return nil, fmt.Errorf("spawner: %w", err)
	}
	defer unix.Close(pipe[1])
	s.words = pipe[0]
	w := uintptr(pipe[1])
	s.pid, err = syscall.ForkExec("/proc/self/exe", []string{SpawnerName, strconv.Itoa(uid), strconv.Itoa(gid)}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1", "GOTRACEBACK=all"}, Files: []uintptr{uintptr(pair[1]), w, w},
		Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setsid: true},
	})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("spawner: %w", err)
	}
	if err := s.patience(); err != nil {
		s.close()
		return nil, fmt.Errorf("spawner: %w", err)
	}
	return s, nil
}

// ask sends a request and waits for the answer.
func (s *spawner) ask(request byte, fds ...int) (number int, err error) {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(s.fd, []byte{request}, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		return 0, fmt.Errorf("spawner: %w%s", err, s.said())
	}
	b := make([]byte, answerMax)
	n := 0
	for {
		if n, err = unix.Read(s.fd, b); err != unix.EINTR {
			break
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("spawner: %w%s", err, s.said())
	case n < 8:
		return 0, fmt.Errorf("spawner: has ended%s", s.said())
	}
	number = int(int32(binary.NativeEndian.Uint32(b)))
	if errno := unix.Errno(binary.NativeEndian.Uint32(b[4:])); errno != 0 {
		return number, errors.New(string(b[8:n]))
	}
	return number, nil
}

// said is what the spawner wrote before it died.
func (s *spawner) said() string {
	if s.words < 0 {
		return "; the log of its service says why"
	}
	if words := printable(s.words); words != "" {
		return ": " + words
	}
	return ""
}

// close ends the spawner, which ends the child if there is one.
func (s *spawner) close() (ws unix.WaitStatus) {
	unix.Close(s.fd)
	if s.words >= 0 {
		unix.Close(s.words)
	}
	if s.pid > 0 {
		unix.Wait4(s.pid, &ws, 0, nil)
	}
	return ws
}

// capData are capability sets as capset(2) takes them.
func capData(kept []uintptr) (header unix.CapUserHeader, data [2]unix.CapUserData) {
	header.Version = unix.LINUX_CAPABILITY_VERSION_3
	for _, c := range kept {
		data[c/32].Permitted |= 1 << (c % 32)
		data[c/32].Effective |= 1 << (c % 32)
	}
	return header, data
}

// setCapabilities needs no system call where they are these already, as in a
// unit whose filter does not have it.
func setCapabilities(kept []uintptr) error {
	header, data := capData(kept)
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err == nil && have == data {
		return nil
	}
	return allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
}
