package sandbox

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"runtime"
	"slices"
	"strconv"
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
			if i.K%4 != 0 || i.K >= 64 { // nor does the kernel take it
				return 0, fmt.Errorf("instruction %d: loads from %d", pc, i.K)
			}
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
	kill   = unix.SECCOMP_RET_KILL_PROCESS
	allow  = unix.SECCOMP_RET_ALLOW
	refuse = unix.SECCOMP_RET_ERRNO | einval
)

// architecture is what a filter is compiled for. All of them are tested on
// any machine.
type architecture struct {
	name    string // GOARCH
	audit   uint32
	numbers map[string]uint32
	thread  uint64 // the flags of clone
}

// architectures have the numbers of the calls the rules name, written down
// here once more: what is compiled is compared with them.
var architectures = []architecture{
	{"amd64", 0xc000003e, map[string]uint32{
		"read": 0, "write": 1, "mmap": 9, "munmap": 11, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
		"sched_yield": 24, "madvise": 28, "nanosleep": 35, "getpid": 39, "sendto": 44, "recvfrom": 45, "clone": 56,
		"exit": 60, "sigaltstack": 131, "prctl": 157, "gettid": 186, "futex": 202, "restart_syscall": 219,
		"clock_gettime": 228, "exit_group": 231, "tgkill": 234, "ppoll": 271, "epoll_pwait": 281, "getrandom": 318,
	}, 0xd0f00},
	{"arm64", 0xc00000b7, generic, 0x50f00},
	{"riscv64", 0xc00000f3, generic, 0x50f00},
}

// generic are the numbers of the architectures that came later.
var generic = map[string]uint32{
	"epoll_pwait": 22, "read": 63, "write": 64, "ppoll": 73, "exit": 93, "exit_group": 94, "futex": 98, "nanosleep": 101,
	"clock_gettime": 113, "sched_yield": 124, "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132,
	"rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "prctl": 167, "getpid": 172, "gettid": 178,
	"sendto": 206, "recvfrom": 207, "munmap": 215, "clone": 220, "mmap": 222, "madvise": 233, "getrandom": 278,
}

// each runs a test for every architecture, with its committed filter.
func each(t *testing.T, test func(t *testing.T, arch architecture, program []unix.SockFilter)) {
	t.Helper()
	for _, arch := range architectures {
		t.Run(arch.name, func(t *testing.T) {
			t.Parallel()
			test(t, arch, committed(t, arch.name))
		})
	}
}

// committed reads a filter from its file, also one that this machine's
// compiler leaves out.
func committed(t *testing.T, arch string) []unix.SockFilter {
	t.Helper()
	program := programs(t, "filter_"+arch+".go")["filter"]
	if runtime.GOARCH == arch && !slices.Equal(program, filter) {
		t.Fatalf("the file reads as %d instructions, compiled are %d others", len(program), len(filter))
	}
	return program
}

// programs reads the filters of a file by their names.
func programs(t *testing.T, path string) map[string][]unix.SockFilter {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]unix.SockFilter)
	for _, d := range file.Decls {
		if v, is := d.(*ast.GenDecl); is && v.Tok == token.VAR {
			all[v.Specs[0].(*ast.ValueSpec).Names[0].Name] = instructions(t, v)
		}
	}
	return all
}

func instructions(t *testing.T, filter ast.Node) (program []unix.SockFilter) {
	t.Helper()
	ast.Inspect(filter, func(n ast.Node) bool {
		instruction, is := n.(*ast.CompositeLit)
		if !is || instruction.Type != nil { // the elements have no type of their own
			return true
		}
		var v [4]uint64
		for i, e := range instruction.Elts {
			var err error
			v[i], err = strconv.ParseUint(e.(*ast.KeyValueExpr).Value.(*ast.BasicLit).Value, 0, 32)
			if err != nil {
				t.Fatal(err)
			}
		}
		program = append(program, unix.SockFilter{Code: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: uint32(v[3])})
		return false
	})
	return program
}

// TestFilterIsTheRules compares the verdict of the compiled filter with that
// of the rules as they are written: for every rule with arguments that fit
// and with each bit of them changed, and for every system call number with
// arguments that fit any rule.
func TestFilterIsTheRules(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, arch architecture, program []unix.SockFilter) {
		names := map[uint32]string{}
		for name, nr := range arch.numbers {
			names[nr] = name
		}
		compare := func(nr uint32, args [6]uint64) {
			got, err := run(program, data{nr: nr, arch: arch.audit, args: args})
			if want := verdict(arch.name, names[nr], args); err != nil || got != want {
				t.Fatalf("%s (%d) %#x: %#x, want %#x, %v", names[nr], nr, args, got, want, err)
			}
		}
		for _, r := range Rules {
			nr, known := arch.numbers[r.Call]
			if !known || r.Reason == "" {
				t.Errorf("%s: number %d, reason %q", r.Call, nr, r.Reason)
			}
			args := fitting(r)
			for bit := range 6 * 64 {
				changed := args
				changed[bit/64] ^= 1 << (bit % 64)
				compare(nr, changed)
			}
			for nr := range uint32(1024) {
				compare(nr, args)
			}
		}
	})
}

// fitting are arguments that a rule lets pass.
func fitting(r Rule) (args [6]uint64) {
	for _, a := range r.Args {
		args[a.Index] |= a.Value
	}
	return args
}

// verdict applies the rules as they stand in rules.go.
func verdict(arch, call string, args [6]uint64) uint32 {
	for _, r := range Rules {
		ok := r.Call == call && (r.Arch == "" || r.Arch == arch)
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
	t.Parallel()
	each(t, func(t *testing.T, arch architecture, program []unix.SockFilter) {
		for _, r := range Rules {
			nr := arch.numbers[r.Call]
			cases := []data{
				{nr: nr | 0x40000000, arch: arch.audit}, // x32
				{nr: nr | 0x80000000, arch: arch.audit},
				{nr: 0xffffffff, arch: arch.audit},
				{nr: nr, arch: 0x40000003}, // i386
				{nr: nr, arch: 0x40000028}, // arm
				{nr: nr, arch: 0},
			}
			for _, other := range architectures {
				if other.name != arch.name {
					cases = append(cases, data{nr: nr, arch: other.audit})
				}
			}
			for _, d := range cases {
				d.args = fitting(r)
				if got, err := run(program, d); got != kill || err != nil {
					t.Errorf("%s as %#x on %#x: %#x, %v", r.Call, d.nr, d.arch, got, err)
				}
			}
		}
	})
}

// TestNothingDangerous: some calls must never come onto the list at all.
func TestNothingDangerous(t *testing.T) {
	t.Parallel()
	for _, r := range Rules {
		for _, never := range []string{"open", "exec", "socket", "connect", "bind", "kill", "ptrace", "mprotect", "ioctl", "sendmsg",
			"recvmsg", "dup", "fork", "clone3", "mount", "unshare", "setns", "bpf", "io_uring", "keyctl", "userfaultfd", "process_vm"} {
			if strings.HasPrefix(r.Call, never) && r.Call != "tgkill" {
				t.Errorf("%s is on the list", r.Call)
			}
		}
	}
}
