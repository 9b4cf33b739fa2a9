package sandbox

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestExamples spells out what must not be lost by editing the rules: at
// least one call that passes and one that dies for every rule.
func TestExamples(t *testing.T) {
	t.Parallel()
	type args = [6]uint64
	each(t, func(t *testing.T, arch architecture, program []unix.SockFilter) {
		tried := map[string]bool{}
		for _, tt := range []struct {
			name string
			call string
			args args
			want uint32
		}{
			{"wait for the lanes", "ppoll", args{0x1000, 2, 0x2000}, allow},
			{"control lane", "sendto", args{3, 0, 9, 0x4040}, allow},
			{"frames lane is read only", "sendto", args{4, 0, 9}, kill},
			{"standard error is no socket", "sendto", args{2, 0, 9}, kill},
			{"an address", "sendto", args{3, 0, 9, 0, 1, 0}, kill},
			{"an address high up", "sendto", args{3, 0, 9, 0, 1 << 32, 0}, kill},
			{"length of an address", "sendto", args{3, 0, 9, 0, 0, 16}, kill},
			{"read control", "recvfrom", args{3, 0, 9, 0x40}, allow},
			{"read frames", "recvfrom", args{4, 0, 9, 0x40}, allow},
			{"read frames, upper half not defined", "recvfrom", args{0xdead00000004, 0, 9}, allow},
			{"foreign socket", "recvfrom", args{5}, kill},
			{"read with an address", "recvfrom", args{3, 0, 9, 0, 1, 0}, kill},
			{"read with an address high up", "recvfrom", args{4, 0, 9, 0, 1 << 47, 0}, kill},
			{"read with the length of an address", "recvfrom", args{4, 0, 9, 0, 0, 1}, kill},

			{"heap", "mmap", args{0, 4096, 3, 0x22, 0xffffffff}, allow},
			{"heap, reserved", "mmap", args{0xc000000000, 1 << 26, 0, 0x22, 0xffffffff}, allow},
			{"heap, fixed", "mmap", args{0, 4096, 3, 0x32, ^uint64(0)}, allow},
			{"heap, executable", "mmap", args{0, 4096, 7, 0x22, 0xffffffff}, kill},
			{"heap, execute only", "mmap", args{0, 4096, 4, 0x22, 0xffffffff}, kill},
			{"file", "mmap", args{0, 4096, 3, 2, 3}, kill},
			{"anonymous with a descriptor", "mmap", args{0, 4096, 3, 0x22, 3}, kill},
			{"shared memory", "mmap", args{0, 4096, 3, 0x21, 0xffffffff}, kill},
			{"shared memory, validated", "mmap", args{0, 4096, 3, 0x23, 0xffffffff}, kill},
			{"locked memory", "mmap", args{0, 4096, 3, 0x2022, 0xffffffff}, kill},
			{"huge pages of the machine", "mmap", args{0, 1 << 21, 3, 0x40022, 0xffffffff}, kill},
			{"growing stack", "mmap", args{0, 4096, 3, 0x122, 0xffffffff}, kill},
			{"droppable memory", "mmap", args{0, 4096, 3, 0x28, 0xffffffff}, allow},
			{"droppable memory, executable", "mmap", args{0, 4096, 7, 0x28, 0xffffffff}, kill},
			{"give back", "munmap", args{0x1000, 4096}, allow},
			{"advise dontneed", "madvise", args{0, 4096, 4}, allow},
			{"advise free", "madvise", args{0, 4096, 8}, kill},
			{"advise huge page", "madvise", args{0, 4096, 14}, kill},
			{"advise no huge page", "madvise", args{0, 4096, 15}, allow},
			{"advise collapse", "madvise", args{0, 4096, 25}, kill},
			{"advise mergeable", "madvise", args{0, 4096, 12}, kill},
			{"advise dofork", "madvise", args{0, 4096, 11}, kill},
			{"advise hardware poison", "madvise", args{0, 4096, 100}, kill},
			{"name of a mapping", "prctl", args{0x53564d41}, refuse},
			{"dumpable", "prctl", args{4, 1}, kill},
			{"no death with the parent", "prctl", args{1, 0}, kill},
			{"ambient capability", "prctl", args{47, 2, 21}, kill},

			{"thread", "clone", args{arch.thread}, allow},
			{"thread of another architecture", "clone", args{arch.thread ^ 0x80000}, kill},
			{"process", "clone", args{17}, kill},
			{"thread in a new user namespace", "clone", args{arch.thread | 0x10000000}, kill},
			{"thread with something high up", "clone", args{arch.thread | 1<<32}, kill},
			{"thread with a file table of its own", "clone", args{arch.thread &^ 0x400}, kill},
			{"own thread", "tgkill", args{1, 7, 23}, allow},
			{"another process", "tgkill", args{2, 2, 23}, kill},
			{"all processes", "tgkill", args{0xffffffff, 2, 23}, kill},
			{"lock: wait", "futex", args{0x1000, 128, 1}, allow},
			{"lock: wake", "futex", args{0x1000, 129, 1}, allow},
			{"lock in shared memory", "futex", args{0x1000, 0, 1}, kill},
			{"wake in shared memory", "futex", args{0x1000, 1, 1}, kill},
			{"file descriptor of a lock", "futex", args{0x1000, 2}, kill},
			{"requeue", "futex", args{0x1000, 128 | 3, 1, 1, 0x2000}, kill},
			{"compare and requeue", "futex", args{0x1000, 128 | 4, 1, 1, 0x2000}, kill},
			{"wake with an operation", "futex", args{0x1000, 128 | 5, 1, 1, 0x2000}, kill},
			{"lock with priority inheritance", "futex", args{0x1000, 128 | 6}, kill},
			{"requeue to priority inheritance", "futex", args{0x1000, 128 | 12, 1, 1, 0x2000}, kill},
			{"wait by the wall clock", "futex", args{0x1000, 128 | 9 | 256, 1}, kill},
			{"back off", "nanosleep", args{0x1000}, allow},
			{"yield", "sched_yield", args{}, allow},
			{"thread id", "gettid", args{}, allow},
			{"process id", "getpid", args{}, allow},
			{"signal stack", "sigaltstack", args{0x1000}, allow},
			{"signal mask", "rt_sigprocmask", args{2, 0x1000, 0, 8}, allow},
			{"signal action", "rt_sigaction", args{15, 0x1000, 0, 8}, kill},
			{"end of a signal", "rt_sigreturn", args{}, allow},
			{"go on", "restart_syscall", args{}, allow},
			{"end of a thread", "exit", args{}, allow},
			{"end", "exit_group", args{2}, allow},

			{"clock", "clock_gettime", args{1, 0x1000}, allow},
			{"seed", "getrandom", args{0x1000, 32}, allow},
			{"poller", "epoll_pwait", args{5, 0x1000, 128, 0xffffffff}, allow},
			{"another poller", "epoll_pwait", args{3, 0x1000, 128}, kill},
			{"wake the poller", "write", args{6, 0x1000, 8}, allow},
			{"last words", "write", args{2, 0x1000, 99}, allow},
			{"standard output", "write", args{1, 0x1000, 99}, kill},
			{"write to a lane", "write", args{3, 0x1000, 99}, kill},
			{"reset the poller", "read", args{6, 0x1000, 8}, allow},
			{"read a lane", "read", args{3, 0x1000, 8}, kill},
			{"standard input", "read", args{0, 0x1000, 8}, kill},
		} {
			tried[tt.call] = true
			got, err := run(program, data{nr: arch.numbers[tt.call], arch: arch.audit, args: tt.args})
			if err != nil || got != tt.want {
				t.Errorf("%s: %s %#x: %#x, want %#x, %v", tt.name, tt.call, tt.args, got, tt.want, err)
			}
		}
		for _, r := range Rules {
			if !tried[r.Call] {
				t.Errorf("no example of %s", r.Call)
			}
		}
	})
}

// TestForeignCalls has the numbers of calls that must die, whatever their
// arguments, written down for every architecture.
func TestForeignCalls(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, arch architecture, program []unix.SockFilter) {
		for name, numbers := range map[string][2]uint32{ // amd64, and the others
			"openat": {257, 56}, "openat2": {437, 437}, "socket": {41, 198}, "connect": {42, 203}, "bind": {49, 200},
			"sendmsg": {46, 211}, "sendmmsg": {307, 269}, "recvmsg": {47, 212}, "clone3": {435, 435}, "execve": {59, 221},
			"execveat": {322, 281}, "kill": {62, 129}, "tkill": {200, 130}, "rt_tgsigqueueinfo": {297, 240},
			"ptrace": {101, 117}, "mprotect": {10, 226}, "pkey_mprotect": {329, 288}, "mremap": {25, 216},
			"remap_file_pages": {216, 234}, "ioctl": {16, 29}, "memfd_create": {319, 279}, "io_uring_setup": {425, 425},
			"bpf": {321, 280}, "keyctl": {250, 219}, "unshare": {272, 97}, "setns": {308, 268}, "mount": {165, 40},
			"pivot_root": {155, 41}, "chroot": {161, 51}, "process_vm_writev": {311, 271}, "userfaultfd": {323, 282},
			"dup": {32, 23}, "dup3": {292, 24}, "fcntl": {72, 25}, "close": {3, 57}, "pidfd_open": {434, 434},
			"pidfd_getfd": {438, 438}, "seccomp": {317, 277}, "prlimit64": {302, 261}, "epoll_ctl": {233, 21},
			"writev": {20, 66}, "pwrite64": {18, 68}, "perf_event_open": {298, 241}, "personality": {135, 92},
			"timer_create": {222, 107}, "setuid": {105, 146}, "capset": {126, 91}, "getppid": {110, 173},
		} {
			nr := numbers[0]
			if arch.name != "amd64" {
				nr = numbers[1]
			}
			for _, r := range Rules {
				if got, err := run(program, data{nr: nr, arch: arch.audit, args: fitting(r)}); got != kill || err != nil {
					t.Errorf("%s (%d) with the arguments of %s: %#x, %v", name, nr, r.Call, got, err)
				}
			}
		}
	})
}
