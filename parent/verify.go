package parent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// namespaces are those the child must have to itself.
var namespaces = []string{"user", "pid", "net", "ipc", "uts", "mnt", "cgroup"}

// childDescriptors are all the child may hold: the pipe for its last words
// (0-2), its two lanes, and the Go runtime's epoll and eventfd.
const childDescriptors = "0 1 2 3 4 5 6"

// verify reads the confinement of a process from /proc, thread by thread, and
// says what is missing. The process is our child and not yet waited for, so
// its pid cannot have gone to another.
func verify(pid, uid, gid int) error {
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
	for _, t := range tasks {
		status, err := os.ReadFile(filepath.Join(proc, "task", t.Name(), "status"))
		if err != nil {
			return err
		}
		if err := verifyStatus(status, uid, gid, groups); err != nil {
			return fmt.Errorf("thread %s: %w", t.Name(), err)
		}
		for _, ns := range namespaces {
			ours, err := os.Readlink("/proc/self/ns/" + ns)
			if err != nil {
				return err
			}
			theirs, err := os.Readlink(filepath.Join(proc, "task", t.Name(), "ns", ns))
			if err != nil {
				return err
			}
			if ours == theirs {
				return fmt.Errorf("thread %s: %s namespace is ours", t.Name(), ns)
			}
		}
	}
	return verifySurroundings(proc)
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
func verifyStatus(status []byte, uid, gid int, groups string) error {
	none := "0000000000000000"
	want := map[string]string{
		"Uid": strings.Repeat(strconv.Itoa(uid)+" ", 4), "Gid": strings.Repeat(strconv.Itoa(gid)+" ", 4), "Groups": groups,
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
		"NoNewPrivs": "1", "Seccomp": "2",
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
