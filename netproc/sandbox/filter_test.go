package sandbox

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// data is struct seccomp_data: what the filter sees of a system call.
type data struct {
	nr, arch uint32
	args     [6]uint64
}

// word reads 32 bits as the filter does, in the order of this machine.
func (d data) word(offset uint32) uint32 {
	switch {
	case offset == 0:
		return d.nr
	case offset == 4:
		return d.arch
	case offset >= 16 && offset < 64:
		arg := d.args[(offset-16)/8]
		if offset%8 == 4 {
			return uint32(arg >> 32)
		}
		return uint32(arg)
	}
	return 0
}

// run interprets a seccomp filter: the instructions of classic BPF that
// libseccomp uses.
func run(program []unix.SockFilter, d data) (uint32, error) {
	var a uint32
	for pc := 0; pc < len(program); pc++ {
		i := program[pc]
		jump := false
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = d.word(i.K)
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= i.K
			continue
		case unix.BPF_RET | unix.BPF_K:
			return i.K, nil
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump = a == i.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump = a >= i.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump = a > i.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump = a&i.K != 0
		default:
			return 0, fmt.Errorf("instruction %d: code %#x", pc, i.Code)
		}
		if jump {
			pc += int(i.Jt)
		} else {
			pc += int(i.Jf)
		}
	}
	return 0, fmt.Errorf("the program ends without a verdict")
}

const (
	auditX8664 = 0xc000003e
	kill       = unix.SECCOMP_RET_KILL_PROCESS
	allow      = unix.SECCOMP_RET_ALLOW
	refuse     = unix.SECCOMP_RET_ERRNO | einval
)

// numbers are the amd64 numbers of the calls the rules name, written down
// here once more: what is compiled is compared with them.
var numbers = map[string]uint32{
	"read": 0, "write": 1, "mmap": 9, "munmap": 11, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
	"sched_yield": 24, "madvise": 28, "nanosleep": 35, "getpid": 39, "sendto": 44, "recvfrom": 45, "clone": 56,
	"exit": 60, "sigaltstack": 131, "prctl": 157, "gettid": 186, "futex": 202, "restart_syscall": 219,
	"clock_gettime": 228, "exit_group": 231, "tgkill": 234, "ppoll": 271, "epoll_pwait": 281, "getrandom": 318,
}

// TestFilterIsTheRules walks over every system call number with every
// combination of arguments that a rule cares about, and compares the verdict
// of the compiled filter with that of the rules as they are written.
func TestFilterIsTheRules(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Log("the numbers below are amd64's; the other filter comes from the same generator")
		return
	}
	names := map[uint32]string{}
	for name, nr := range numbers {
		names[nr] = name
	}
	for _, r := range Rules {
		if _, known := numbers[r.Call]; !known {
			t.Errorf("no number for %s", r.Call)
		}
		if r.Reason == "" {
			t.Errorf("%s has no reason", r.Call)
		}
	}
	values := []uint64{0, 1, 2, 3, 4, 5, 6, 7, protExec, mapAnonymous, mapAnonymous | mapPrivate, fdNone, all,
		cloneThread, cloneThread | 1<<28, prSetVMA, 1 << 32, 1<<32 | 3, 1<<32 | 1}
	cases := 0
	for nr := range uint32(512) {
		for arg := range 6 {
			for _, v := range values {
				for _, base := range values {
					d := data{nr: nr, arch: auditX8664, args: typical(names[nr], base)}
					d.args[arg] = v
					cases++
					got, err := run(filter, d)
					if want := verdict(names[nr], d.args); err != nil || got != want {
						t.Fatalf("%s (%d) %#x: %#x, want %#x, %v", names[nr], nr, d.args, got, want, err)
					}
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// typical are arguments near those that a rule lets pass.
func typical(call string, fd uint64) (args [6]uint64) {
	switch call {
	case "mmap":
		return [6]uint64{0, 4096, 3, mapAnonymous | mapPrivate, fdNone, 0}
	case "clone":
		return [6]uint64{cloneThread}
	default:
		return [6]uint64{fd}
	}
}

// verdict applies the rules as they stand in rules.go.
func verdict(call string, args [6]uint64) uint32 {
	for _, r := range Rules {
		ok := r.Call == call
		for _, a := range r.Args {
			ok = ok && args[a.Index]&a.Mask == a.Value
		}
		switch {
		case ok && r.Errno != 0:
			return refuse
		case ok:
			return allow
		}
	}
	return kill
}

// TestFilterAgainstOtherNumbers: other architectures' calls and those of the
// x32 interface die, whatever they are.
func TestFilterAgainstOtherNumbers(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Log("amd64 only")
		return
	}
	for name, nr := range numbers {
		for _, d := range []data{
			{nr: nr | 0x40000000, arch: auditX8664}, // x32
			{nr: nr, arch: 0x40000003},              // i386
			{nr: nr, arch: 0xc00000b7},              // arm64
			{nr: nr, arch: 0},
		} {
			d.args = typical(name, 3)
			if got, err := run(filter, d); got != kill || err != nil {
				t.Errorf("%s as %#x on %#x: %#x, %v", name, d.nr, d.arch, got, err)
			}
		}
	}
}

// TestExamples spells out what must not be lost by editing the rules.
func TestExamples(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Log("amd64 only")
		return
	}
	for _, tt := range []struct {
		name string
		call string
		args [6]uint64
		want uint32
	}{
		{"control lane", "sendto", [6]uint64{3, 0, 9, 0x4040}, allow},
		{"frames lane is read only", "sendto", [6]uint64{4, 0, 9}, kill},
		{"no address", "sendto", [6]uint64{3, 0, 9, 0, 1, 16}, kill},
		{"no length of an address", "sendto", [6]uint64{3, 0, 9, 0, 0, 16}, kill},
		{"read frames", "recvfrom", [6]uint64{4}, allow},
		{"no foreign socket", "recvfrom", [6]uint64{5}, kill},
		{"last words", "write", [6]uint64{2}, allow},
		{"no write to a lane", "write", [6]uint64{3}, kill},
		{"thread", "clone", [6]uint64{cloneThread}, allow},
		{"process", "clone", [6]uint64{17}, kill},
		{"thread in a new user namespace", "clone", [6]uint64{cloneThread | 0x10000000}, kill},
		{"heap", "mmap", [6]uint64{0, 4096, 3, 0x22, fdNone}, allow},
		{"heap, fixed", "mmap", [6]uint64{0, 4096, 3, 0x32, all}, allow},
		{"executable heap", "mmap", [6]uint64{0, 4096, 7, 0x22, fdNone}, kill},
		{"mapped descriptor", "mmap", [6]uint64{0, 4096, 3, 0x22, 3}, kill},
		{"shared memory", "mmap", [6]uint64{0, 4096, 3, 0x21, fdNone}, kill},
		{"own thread", "tgkill", [6]uint64{1, 7, 23}, allow},
		{"another process", "tgkill", [6]uint64{2, 2, 23}, kill},
		{"name of a mapping", "prctl", [6]uint64{prSetVMA}, refuse},
		{"dumpable", "prctl", [6]uint64{4, 1}, kill},
	} {
		got, err := run(filter, data{nr: numbers[tt.call], arch: auditX8664, args: tt.args})
		if err != nil || got != tt.want {
			t.Errorf("%s: %#x, want %#x, %v", tt.name, got, tt.want, err)
		}
	}
}

// TestNothingDangerous: some calls must never come onto the list at all.
func TestNothingDangerous(t *testing.T) {
	for _, r := range Rules {
		for _, never := range []string{"open", "exec", "socket", "connect", "bind", "kill", "ptrace", "mprotect", "ioctl", "sendmsg",
			"recvmsg", "dup", "fork", "clone3", "mount", "unshare", "setns", "bpf", "io_uring", "keyctl", "userfaultfd", "process_vm"} {
			if strings.HasPrefix(r.Call, never) && r.Call != "tgkill" {
				t.Errorf("%s is on the list", r.Call)
			}
		}
	}
}
