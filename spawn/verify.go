package spawn

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// namespaces are those the child must have to itself.
var namespaces = []string{"user", "pid", "net", "ipc", "uts", "mnt", "cgroup"}

// childDescriptors are all the child may hold: the pipe for its last words
// (0-2), its two lanes, and the Go runtime's epoll and eventfd.
const childDescriptors = "0 1 2 3 4 5 6"

// childLimits are the hard limits the child must have set itself, by their
// names in /proc: netproc/sandbox/enter.go has the reasons.
var childLimits = map[string]string{
	"Max processes": "32", "Max core file size": "0",
	"Max locked memory": "0", "Max msgqueue size": "0", "Max data size": "268435456",
}

// profileLimits are those that differ.
var profileLimits = map[ipc.Program]map[string]string{
	ipc.NetprocProgram: {"Max open files": "2", "Max file size": "0"},
	ipc.ReaderProgram:  {"Max open files": "2", "Max file size": "0"},
	ipc.KeeperProgram:  {"Max open files": "16"},
}

// verify reads the confinement of a process from /proc, thread by thread, and
// says what is missing. The process is our child and not yet waited for, so
// its pid cannot have gone to another.
func verify(p ipc.Program, pid, uid, gid int) error {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	tasks, err := os.ReadDir(filepath.Join(proc, "task"))
	if err != nil {
		return err
	}
	// Root has taken the supplementary groups from the child; who is not root
	// could not, and has none to speak of.
	groups := ""
	if os.Geteuid() != 0 {
		if groups, err = ownGroups(); err != nil {
			return err
		}
	}
	filters, err := ownFilters()
	if err != nil {
		return err
	}
	for _, t := range tasks {
		task := filepath.Join(proc, "task", t.Name())
		status, err := os.ReadFile(filepath.Join(task, "status"))
		if err == nil {
			err = verifyStatus(status, uid, gid, groups, filters+1)
		}
		if err == nil {
			err = verifyNamespaces(task)
		}
		if _, gone := os.Stat(task); errors.Is(gone, fs.ErrNotExist) && t.Name() != strconv.Itoa(pid) {
			continue // a thread that has ended meanwhile
		}
		if err != nil {
			return fmt.Errorf("thread %s: %w", t.Name(), err)
		}
	}
	if err := verifyLimits(proc, profileLimits[p]); err != nil {
		return err
	}
	return verifySurroundings(proc)
}

// verifyNamespaces looks that a thread shares none with us.
func verifyNamespaces(task string) error {
	for _, ns := range namespaces {
		ours, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			return err
		}
		theirs, err := os.Readlink(filepath.Join(task, "ns", ns))
		if err != nil {
			return err
		}
		if ours == theirs {
			return fmt.Errorf("%s namespace is ours", ns)
		}
	}
	return nil
}

// ownFilters is the number of seccomp filters that our children inherit: what
// they add shows in theirs.
func ownFilters() (n int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(status), "\nSeccomp_filters:")
	line, _, _ := strings.Cut(after, "\n")
	if n, err = strconv.Atoi(strings.TrimSpace(line)); err != nil || !found {
		return 0, errors.New("the kernel does not count seccomp filters")
	}
	return n, nil
}

// verifyLimits compares the hard limits, and looks whether the child is
// dumpable: the kernel gives the files of one that is not to root, if its user
// namespace has no user 0. That of a service user's child has, and does not
// show it.
func verifyLimits(proc string, profile map[string]string) error {
	limits, err := os.ReadFile(filepath.Join(proc, "limits"))
	if err != nil {
		return err
	}
	have := make(map[string]string)
	for line := range strings.Lines(string(limits)) {
		if len(line) > 26 {
			if f := strings.Fields(line[26:]); len(f) >= 2 {
				have[strings.TrimSpace(line[:26])] = f[1]
			}
		}
	}
	for _, wanted := range []map[string]string{childLimits, profile} {
		for name, want := range wanted {
			if have[name] != want {
				return fmt.Errorf("%s: %q, not %s", name, have[name], want)
			}
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(proc, "environ"), &st); err != nil {
		return err
	}
	if st.Uid != 0 {
		return fmt.Errorf("dumpable: its files in /proc belong to user %d", st.Uid)
	}
	return nil
}

// ownGroups lists our supplementary groups as /proc has them.
func ownGroups() (string, error) {
	groups, err := os.Getgroups()
	if err != nil {
		return "", err
	}
	slices.Sort(groups)
	return strings.Trim(fmt.Sprint(groups), "[]"), nil
}

// verifyStatus compares the lines of /proc/PID/status that matter.
func verifyStatus(status []byte, uid, gid int, groups string, filters int) error {
	none := "0000000000000000"
	want := map[string]string{
		"Uid": strings.Repeat(strconv.Itoa(uid)+" ", 4), "Gid": strings.Repeat(strconv.Itoa(gid)+" ", 4), "Groups": groups,
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
		"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": strconv.Itoa(filters),
	}
	for line := range bytes.Lines(status) {
		key, value, _ := strings.Cut(string(line), ":")
		expected, matters := want[key]
		if got := strings.Join(strings.Fields(value), " "); matters && got != strings.TrimSpace(expected) {
			return fmt.Errorf("%s is %q, not %q", key, got, expected)
		}
		delete(want, key)
	}
	for key := range want {
		return fmt.Errorf("%s is not reported by this kernel", key)
	}
	return nil
}

// verifySurroundings looks at what the child could reach: no file, no
// network but its own loopback, no descriptor it should not have.
func verifySurroundings(proc string) error {
	root, err := os.ReadDir(filepath.Join(proc, "root"))
	if err != nil {
		return err
	}
	if len(root) != 0 {
		return fmt.Errorf("root file system holds %s", root[0].Name())
	}
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return err
	}
	names := make([]string, 0, len(fds))
	for _, f := range fds {
		names = append(names, f.Name())
	}
	if got := strings.Join(names, " "); got != childDescriptors {
		return fmt.Errorf("descriptors are %s, not %s", got, childDescriptors)
	}
	dev, err := os.ReadFile(filepath.Join(proc, "net", "dev"))
	if err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(dev)), "\n") {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), ":"); i >= 2 && name != "lo" {
			return fmt.Errorf("network namespace holds %s", name)
		}
	}
	return nil
}
