package lab

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Strike sends SIGTERM to programs that the first child of a process starts, to as many of
// each name as often says, and says how many it has been. Each is struck in the first
// moments of Go, which catches the signal then, while the program does not ignore it yet:
// they are followed call by call until they do. It returns when all are struck, or when
// done says so.
func Strike(pid int, often map[string]int, done func() bool) (struck map[string]int) {
	s := striker{often: often, struck: map[string]int{}, followed: map[int]string{}}
	// All that is followed is followed by one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for len(s.followed) == 0 && !done() {
		s.follow(pid)
	}
	for !s.all() && !done() {
		s.turn()
	}
	s.leave()
	return s.struck
}

// striker follows the child, and not its parent: who waits for a process that it follows
// itself, as a test does for a daemon, is told of every stop as if it were the end.
type striker struct {
	often, struck map[string]int
	followed      map[int]string // threads, with the name of a program that is to be struck
	leaving       bool
}

// follow begins with the threads that the first child of a process has.
func (s *striker) follow(parent int) {
	children := startedBy(parent)
	if len(children) == 0 {
		return
	}
	const events = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC
	for more := true; more; {
		more = false
		for _, thread := range Threads(children[0]) {
			tid, _ := strconv.Atoi(thread[strings.LastIndex(thread, "/")+1:])
			if _, known := s.followed[tid]; known {
				continue
			}
			if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, events, 0, 0); errno == 0 {
				s.followed[tid] = ""
				more = true
			}
		}
	}
}

func (s *striker) all() bool {
	for name, n := range s.often {
		if s.struck[name] < n {
			return false
		}
	}
	return true
}

// leave leaves all that is followed to itself.
func (s *striker) leave() {
	s.leaving = true
	for tid := range s.followed {
		unix.PtraceInterrupt(tid)
	}
	for len(s.followed) > 0 {
		s.turn()
	}
}

// turn deals with each that has stopped, and waits a moment if none has.
func (s *striker) turn() {
	some := false
	for tid := range s.followed {
		status, stopped := s.stopped(tid)
		if !stopped {
			continue
		}
		some = true
		if status.Exited() || status.Signaled() {
			delete(s.followed, tid)
			continue
		}
		signal := 0
		switch event := int(status) >> 16; {
		case event == unix.PTRACE_EVENT_EXEC:
			s.followed[tid] = s.wanted(tid)
		case event == unix.PTRACE_EVENT_FORK, event == unix.PTRACE_EVENT_VFORK, event == unix.PTRACE_EVENT_CLONE:
			if started, err := unix.PtraceGetEventMsg(tid); err == nil {
				s.followed[int(started)] = ""
			}
		case event == 0 && status.StopSignal() != unix.SIGTRAP:
			signal = int(status.StopSignal())
		}
		s.goOn(tid, signal)
	}
	if !some {
		time.Sleep(50 * time.Microsecond)
	}
}

// stopped says how a thread has stopped or ended.
func (s *striker) stopped(tid int) (status unix.WaitStatus, ok bool) {
	n, err := unix.Wait4(tid, &status, unix.WNOHANG|unix.WALL, nil)
	if err == unix.ECHILD {
		delete(s.followed, tid) // the program that it was of has been replaced
	}
	return status, err == nil && n == tid
}

// wanted is the name of a program that has just been executed, if it is to be struck.
func (s *striker) wanted(pid int) string {
	command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, _, _ := strings.Cut(string(command), "\x00")
	if s.struck[name] < s.often[name] {
		return name
	}
	return ""
}

// goOn strikes what is to be struck and can be, and lets all others go on.
func (s *striker) goOn(tid, signal int) {
	name := s.followed[tid]
	if s.leaving {
		unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(tid), 0, uintptr(signal), 0, 0)
		delete(s.followed, tid)
		return
	}
	if name == "" {
		unix.PtraceCont(tid, signal)
		return
	}
	caught, _ := strconv.ParseUint(Status(tid)["SigCgt"], 16, 64)
	if caught&(1<<(unix.SIGTERM-1)) == 0 {
		unix.PtraceSyscall(tid, signal)
		return
	}
	unix.Kill(tid, unix.SIGTERM)
	unix.PtraceDetach(tid)
	delete(s.followed, tid)
	s.struck[name]++
}

// startedBy lists the processes below another one that have been started soon after it. A
// look at all there are would come too late for what the first of their milliseconds are.
func startedBy(parent int) (pids []int) {
	for pid := parent + 1; pid < parent+300; pid++ {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(b), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) && Status(pid)["Tgid"] == strconv.Itoa(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
