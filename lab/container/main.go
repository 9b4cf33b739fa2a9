// Command container runs a program as a container engine does: as root in a
// directory of its own, with some capabilities, and behind a seccomp profile.
//
//	container ROOT CAPABILITIES PROFILE PROGRAM [ARGUMENT...]
//
// CAPABILITIES are numbers, separated by commas. PROFILE is "default", which
// refuses namespaces and mounts as Docker's does to who has no CAP_SYS_ADMIN,
// or "unconfined".
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "container: ROOT CAPABILITIES PROFILE PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "container:", run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]))
	os.Exit(1)
}

// run only returns with an error.
func run(root, capabilities, profile string, argv []string) error {
	if err := enter(root); err != nil {
		return err
	}
	switch profile {
	case "unconfined":
	case "default":
		if err := refuse(); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	default:
		return fmt.Errorf("profile %q; accepted: default, unconfined", profile)
	}
	if err := keep(capabilities); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return syscall.Exec(argv[0], argv, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
}

// enter makes a directory the root, with what an engine mounts there: /proc,
// whose settings are read-only, /sys and a /dev.
func enter(root string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	mount := func(source, target, kind string, flags uintptr) error {
		path := filepath.Join(root, target)
		if err := errors.Join(os.MkdirAll(path, 0o755), unix.Mount(source, path, kind, flags, "")); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
		return nil
	}
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return mount(root, "", "", unix.MS_BIND) },
		func() error { return unix.Chdir(root) }, // what is mounted there, not below
		func() error { return mount("proc", "proc", "proc", 0) },
		func() error { return mount(filepath.Join(root, "proc/sys"), "proc/sys", "", unix.MS_BIND) },
		func() error { return mount("", "proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY) },
		func() error { return mount("sysfs", "sys", "sysfs", unix.MS_RDONLY) },
		func() error { return mount("dev", "dev", "tmpfs", 0) },
		func() error {
			return unix.Mknod(filepath.Join(root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
		},
		func() error { return unix.PivotRoot(".", ".") },
		func() error { return unix.Unmount(".", unix.MNT_DETACH) },
		func() error { return unix.Chdir("/") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// refuse loads the part of a filter like Docker's that matters here.
func refuse() error {
	const numberAt, argumentAt = 0, 16 // in struct seccomp_data, of little-endian machines
	const namespaces = 0x7e020000      // CLONE_NEWUSER and the others
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	jump := func(how uint16, value uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: value, Jf: otherwise}
	}
	program := []unix.SockFilter{load(numberAt)}
	for _, call := range []uint32{unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_SETHOSTNAME, unix.SYS_UNSHARE, unix.SYS_SETNS} {
		program = append(program, jump(unix.BPF_JEQ, call, 1), answer(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
	}
	program = append(program,
		jump(unix.BPF_JEQ, unix.SYS_CLONE3, 1), answer(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)),
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 3), load(argumentAt),
		jump(unix.BPF_JSET, namespaces, 1), answer(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)),
		answer(unix.SECCOMP_RET_ALLOW))
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&p))); errno != 0 {
		return errno
	}
	return nil
}

// keep leaves the thread with these capabilities, and none to be had.
func keep(list string) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, text := range strings.Split(list, ",") {
		c, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		data[c/32].Permitted |= 1 << (c % 32)
		data[c/32].Effective |= 1 << (c % 32)
	}
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if data[c/32].Permitted&(1<<(c%32)) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				return err
			}
		}
	}
	return unix.Capset(&header, &data[0])
}
