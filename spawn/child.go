package spawn

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// programFD is where its program is at least: out of the way of its own
// descriptors.
const programFD = 64

// childEnv keeps the Go runtime inside the few system calls the child has.
// The heap is small and nothing is allocated per packet, so that the garbage
// collector only runs near the limit; the keeper, which allocates for each line, has it run.
var childEnv = []string{
	"RVRRPD_STAGE=1", "GOMAXPROCS=1", "GODEBUG=updatemaxprocs=0,multipathtcp=0",
	"GOGC=off", "GOMEMLIMIT=64MiB", "GOTRACEBACK=all",
}

// start starts a child of this name behind the first of its walls: a user id, namespaces
// and no privilege outside them. It builds the others itself, and is believed
// only after verify. The kernel does not kill it with us: where we are killed, it says goodbye
// when the parent asks for that, and ends with its lanes.
func (s *spawner) start(name string, fds []int) (pid int, err error) {
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
	pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(program), []string{name}, &syscall.ProcAttr{
		Dir: "/", Env: childEnv, Files: []uintptr{w, w, w, uintptr(fds[1]), uintptr(fds[2])}, Sys: attr,
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w: it takes namespaces of its own, which a container's seccomp profile, user.max_user_namespaces or kernel.unprivileged_userns_clone may refuse (docs/containers.md)", name, err)
	}
	return pid, nil
}
