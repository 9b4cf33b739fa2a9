//go:build lab

package sandbox_test

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

// nobody is the user and group the children run as.
const nobody = 65534

// child is a program started as the parent starts the network process.
type child struct {
	pid    int
	lane   int // control
	frames int
	words  *os.File
	said   func() string // what was read of the words
	ws     syscall.WaitStatus
	once   sync.Once
}

// how is what differs from the parent's way, to see what comes of it.
type how struct {
	program    string
	attempt    string
	stage      string // "1" unless given
	without    uintptr
	unmapped   bool // no user namespace, and so no capability in it
	uid        int
	noAmbient  bool
	lanes      int // two unless given
	credential bool
	service    bool   // as a parent that is not root does it
	walls      string // of another program than the network process
}

// serviceUser is such a parent's user.
const serviceUser = 61234

// profiles are the two ways of a parent to start the network process: as root
// with a user of its own, and as a service user with its own user.
var profiles = map[string]func(attempt string) how{"root": asParent, "user": asService}

// asKeeper is the way of a parent that is root to start the keeper.
func asKeeper(attempt string) how {
	h := asParent(attempt)
	h.walls = "rvrrpd-keeper"
	return h
}

func asService(attempt string) how {
	h := asParent(attempt)
	h.service = true
	return h
}

// asParent is a privileged parent's way to start an attempt.
func asParent(attempt string) how {
	return how{program: programs.attempt, attempt: attempt, stage: "1", uid: nobody, lanes: 2, credential: true}
}

// attributes are those of spawn/child.go.
func (h how) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: (unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
			unix.CLONE_NEWUTS | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP) &^ h.without,
		Pdeathsig: unix.SIGKILL,
	}
	if h.credential {
		a.Credential = &syscall.Credential{Uid: uint32(h.uid), Gid: uint32(h.uid)}
	}
	if h.unmapped {
		a.Cloneflags = 0
		return a
	}
	ids := []syscall.SysProcIDMap{{ContainerID: h.uid, HostID: h.uid, Size: 1}}
	if h.service {
		ids[0] = syscall.SysProcIDMap{ContainerID: 0, HostID: serviceUser, Size: 1}
		a.Credential = &syscall.Credential{}
	}
	a.UidMappings, a.GidMappings, a.GidMappingsEnableSetgroups = ids, ids, true
	if !h.noAmbient {
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
	}
	return a
}

// spawn starts a child: by a descriptor of its program, with one pipe for its
// last words and its lanes, all not blocking.
func spawn(h how) (c *child, err error) {
	c = &child{lane: -1, frames: -1}
	var close []int
	defer func() {
		for _, fd := range close {
			unix.Close(fd)
		}
	}()
	var theirs []int
	for i := range h.lanes {
		lane, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		theirs, close = append(theirs, lane[1]), append(close, lane[1])
		switch i {
		case 0:
			c.lane = lane[0]
		case 1:
			c.frames = lane[0]
		default:
			close = append(close, lane[0])
		}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	c.words, close = os.NewFile(uintptr(pipe[0]), "words"), append(close, pipe[1])
	c.said = sync.OnceValue(func() string {
		b, err := io.ReadAll(c.words)
		if err != nil {
			return err.Error()
		}
		return string(b)
	})
	program, err := unix.Open(h.program, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	high, err := unix.FcntlInt(uintptr(program), unix.F_DUPFD_CLOEXEC, 100) // the child's own are low
	close = append(close, program, high)
	if err != nil {
		return nil, err
	}
	w := uintptr(pipe[1])
	files := []uintptr{w, w, w}
	for _, fd := range theirs {
		files = append(files, uintptr(fd))
	}
	c.pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(high), []string{"rvrrpd-netproc"}, &syscall.ProcAttr{
		Dir: "/", Files: files, Sys: h.attributes(),
		Env: []string{sandbox.StageVariable + "=" + h.stage, "GOMAXPROCS=1", "GODEBUG=updatemaxprocs=0,multipathtcp=0",
			"GOGC=off", "GOMEMLIMIT=64MiB", "GOTRACEBACK=all", "ATTEMPT=" + h.attempt, "WALLS=" + cmp.Or(h.walls, "rvrrpd-netproc")},
	})
	return c, err
}

// start starts an attempt and waits until it says that it is confined.
func start(tb testing.TB, attempt string) *child {
	tb.Helper()
	return begin(tb, asParent(attempt))
}

func begin(tb testing.TB, h how) *child {
	tb.Helper()
	c, err := spawn(h)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.end)
	if got := c.hear(); got == "" || (h.program == programs.attempt && got != "confined") {
		tb.Fatalf("%s: it said %q, then %s: %q", h.attempt, got, c.ending(), c.lastWords())
	}
	return c
}

// end kills the child and closes what is ours of it.
func (c *child) end() {
	unix.Kill(c.pid, unix.SIGKILL)
	c.wait()
	c.words.Close()
	for _, fd := range []int{c.lane, c.frames} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	c.lane, c.frames = -1, -1
}

// hear waits for a datagram on the control lane; "" is the end, or ten
// seconds of silence.
func (c *child) hear() string {
	b := make([]byte, 1<<16)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		fds := []unix.PollFd{{Fd: int32(c.lane), Events: unix.POLLIN}}
		unix.Poll(fds, 1000)
		if n, err := unix.Read(c.lane, b); err == nil {
			return string(b[:n])
		} else if err != unix.EAGAIN && err != unix.EINTR && err != unix.ECONNRESET {
			// A child that ends without having read everything resets its lane:
			// reported once, ahead of what it has said.
			return ""
		}
	}
	return ""
}

// proceed lets the attempt begin.
func (c *child) proceed() { unix.Write(c.lane, []byte("go")) }

func (c *child) wait() {
	c.once.Do(func() {
		for {
			if _, err := syscall.Wait4(c.pid, &c.ws, 0, nil); err != syscall.EINTR {
				return
			}
		}
	})
}

// ending waits for the end, and says how it was: SIGKILL after a minute that brought none.
func (c *child) ending() string {
	late := time.AfterFunc(time.Minute, func() { unix.Kill(c.pid, unix.SIGKILL) })
	c.wait()
	late.Stop()
	if c.ws.Signaled() {
		return unix.SignalName(c.ws.Signal())
	}
	return fmt.Sprintf("exit %d", c.ws.ExitStatus())
}

// result is what came of an attempt: what it said, or how it ended.
func (c *child) result() string {
	if said := c.hear(); said != "" {
		return said
	}
	return c.ending()
}

// lastWords is what it wrote before it ended.
func (c *child) lastWords() string {
	c.wait()
	return c.said()
}

// proc reads a file of the child's directory in /proc.
func (c *child) proc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
