package audit

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
	"syscall"
	"time"
)

// Namespaces are those that the network process has to itself.
var namespaces = []string{"user", "pid", "net", "ipc", "uts", "mnt", "cgroup"}

// Process is what /proc tells about one process of a daemon.
type Process struct {
	PID  int    `json:"pid"`
	Role string `json:"role"` // parent, spawner, child or reader
	// cloned: it has not executed its program yet.
	cloned bool
	// Age is how long it has been there, in whole seconds; -1 is not known.
	Age int64 `json:"age_seconds"`
	// Threads are the states of its threads; most of it is each thread's own.
	Threads []Thread `json:"threads"`
	// Namespaces by name: "own", or "shared" with the parent.
	Namespaces map[string]string `json:"namespaces"`
	// Root lists what the process finds in its root directory, a few names.
	Root []string `json:"root"`
	// Descriptors counts open descriptors by kind.
	Descriptors map[string]int `json:"descriptors"`
	// Interfaces are those of its network namespace.
	Interfaces []string `json:"interfaces"`
	// Limits are hard limits by name, as /proc/PID/limits has them.
	Limits map[string]string `json:"limits"`
	// Mounts are the lines of its mount table, without their numbers; no more
	// than a few.
	Mounts []string `json:"mounts"`
	// UIDMap is the map of its user namespace: inside, outside, length.
	UIDMap string `json:"uid_map"`
	// Dumpable is "no", "yes", or why that cannot be seen.
	Dumpable string `json:"dumpable"`
	// Landlock cannot be read from /proc; this is what can be concluded.
	Landlock string `json:"landlock"`
	// Checks are the promises held against all this.
	Checks []Check `json:"checks"`

	parent int
}

// Thread is what /proc tells about one thread.
type Thread struct {
	TID        int               `json:"tid"`
	UIDs       string            `json:"uids"` // real, effective, saved, file system
	GIDs       string            `json:"gids"`
	Groups     string            `json:"groups"`
	Sets       map[string]string `json:"capabilities"` // inheritable, permitted, effective, bounding, ambient
	NoNewPrivs string            `json:"no_new_privs"`
	Seccomp    string            `json:"seccomp"` // 2: a filter
	Filters    string            `json:"seccomp_filters"`
}

// sets are the capability sets by their key in /proc/PID/status.
var sets = map[string]string{"CapInh": "inheritable", "CapPrm": "permitted", "CapEff": "effective", "CapBnd": "bounding", "CapAmb": "ambient"}

// capabilityNames by number; a kernel may know more.
var capabilityNames = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
	linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot
	sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write
	audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)

// capabilities spells out a mask in hexadecimal; "none" is the empty set.
func capabilities(hex string) string {
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return hex
	}
	var names []string
	for bit := range 64 {
		switch {
		case mask&(1<<bit) == 0:
		case bit < len(capabilityNames):
			names = append(names, capabilityNames[bit])
		default:
			names = append(names, fmt.Sprintf("cap_%d", bit))
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// status reads the lines of a status file; values have single spaces.
func status(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		lines[key] = strings.Join(strings.Fields(value), " ")
	}
	return lines, nil
}

// shownNames bounds how much of a directory or mount table is reported.
const shownNames = 5

// look reads all that is known about a process; its namespaces are compared
// with those of another.
func look(o Options, p *Process, other int) (err error) {
	dir := filepath.Join(o.Proc, strconv.Itoa(p.PID))
	p.Age = age(o, dir)
	if err := p.readThreads(dir); err != nil {
		return err
	}
	p.Namespaces = make(map[string]string)
	for _, ns := range namespaces {
		mine, err1 := os.Readlink(filepath.Join(dir, "ns", ns))
		theirs, err2 := os.Readlink(filepath.Join(o.Proc, strconv.Itoa(other), "ns", ns))
		switch {
		case err1 != nil || err2 != nil:
			p.Namespaces[ns] = "unknown"
		case mine == theirs:
			p.Namespaces[ns] = "shared"
		default:
			p.Namespaces[ns] = "own"
		}
	}
	if err := p.readFiles(dir); err != nil {
		return err
	}
	if p.Descriptors, err = descriptors(dir); err != nil {
		return err
	}
	if p.Interfaces, err = interfaces(dir); err != nil {
		return err
	}
	if p.Limits, err = limits(dir); err != nil {
		return err
	}
	owner, err := o.owner(filepath.Join(dir, "environ"))
	if err != nil {
		return err
	}
	p.Dumpable = dumpable(owner, p)
	return nil
}

// clockTick is the unit in which the kernel tells every program its times: a
// hundredth of a second on all architectures of ours.
const clockTick = 10 * time.Millisecond

// age is how long a process has been there, in whole seconds, -1 if that cannot be
// seen: in its stat, field 22 is when it was started, since the machine was.
func age(o Options, dir string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return -1
	}
	// The second field is a name in parentheses, in which anything may stand.
	_, rest, _ := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	fields := strings.Fields(rest)
	const startedAt = 22 - 3 // the first of these is the third
	if len(fields) <= startedAt {
		return -1
	}
	ticks, err := strconv.ParseInt(fields[startedAt], 10, 64)
	if err != nil {
		return -1
	}
	up, err := o.uptime()
	if err != nil {
		return -1
	}
	// The machine's is in whole seconds: one that has just been started is of no age.
	old := int64((up - time.Duration(ticks)*clockTick) / time.Second)
	if old < 0 && up+time.Second < time.Duration(ticks)*clockTick {
		return -1
	}
	return max(old, 0)
}

// uptime is for how long the machine has been running.
func uptime() (time.Duration, error) {
	var info syscall.Sysinfo_t
	err := syscall.Sysinfo(&info)
	return time.Duration(info.Uptime) * time.Second, err
}

// readThreads reads the status of every thread.
func (p *Process) readThreads(dir string) error {
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		lines, err := status(filepath.Join(dir, "task", task.Name(), "status"))
		if gone(err) { // the thread has ended
			continue
		} else if err != nil {
			return err
		}
		tid, _ := strconv.Atoi(task.Name())
		t := Thread{TID: tid, UIDs: lines["Uid"], GIDs: lines["Gid"], Groups: lines["Groups"],
			NoNewPrivs: lines["NoNewPrivs"], Seccomp: lines["Seccomp"], Filters: lines["Seccomp_filters"], Sets: make(map[string]string)}
		for key, name := range sets {
			t.Sets[name] = capabilities(lines[key])
		}
		p.Threads = append(p.Threads, t)
	}
	if len(p.Threads) == 0 {
		return fs.ErrNotExist
	}
	return nil
}

// readFiles reads what the process sees of files, and of users.
func (p *Process) readFiles(dir string) error {
	root, err := os.ReadDir(filepath.Join(dir, "root"))
	if err != nil {
		return err
	}
	p.Root = []string{}
	for _, e := range root[:min(len(root), shownNames)] {
		p.Root = append(p.Root, e.Name())
	}
	mounts, err := os.ReadFile(filepath.Join(dir, "mountinfo"))
	if err != nil {
		return err
	}
	p.Mounts = []string{}
	for line := range strings.Lines(string(mounts)) {
		// Number, parent, device, root, mount point, options, ..., type.
		if f := strings.Fields(line); len(f) > 4 && len(p.Mounts) < shownNames {
			p.Mounts = append(p.Mounts, strings.Join(f[4:], " "))
		}
	}
	users, err := os.ReadFile(filepath.Join(dir, "uid_map"))
	p.UIDMap = strings.Join(strings.Fields(string(users)), " ")
	return err
}

// owner is the user that a file belongs to.
func owner(path string) (uint32, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return st.Uid, nil
}

// dumpable draws a conclusion from the owner of the process's files in /proc:
// the kernel gives those of a process that is not dumpable to user 0 of its
// user namespace, or to root if that has none.
func dumpable(owner uint32, p *Process) string {
	_, effective, _ := strings.Cut(p.Threads[0].UIDs, " ")
	uid, _, _ := strings.Cut(effective, " ")
	inside, outside, _ := strings.Cut(p.UIDMap, " ")
	outside, _, _ = strings.Cut(outside, " ")
	switch {
	case strconv.FormatUint(uint64(owner), 10) != uid:
		return "no"
	case uid == "0" || inside == "0" && outside == uid:
		return "not shown: it is user 0 in its user namespace"
	default:
		return "yes"
	}
}

// descriptors counts by kind: what the link says before a colon or brackets,
// the family of a socket, "file" for a path.
func descriptors(dir string) (map[string]int, error) {
	kinds := socketKinds(dir)
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return nil, err
	}
	count := make(map[string]int)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
		if err != nil {
			continue
		}
		kind, rest, _ := strings.Cut(target, ":")
		switch {
		case kind == "socket":
			if kind = kinds[strings.Trim(rest, "[]")]; kind == "" {
				kind = "socket"
			}
		case kind == "anon_inode":
			kind = strings.Trim(rest, "[]")
		case strings.HasPrefix(target, "/dev/"):
			kind = target
		case strings.HasPrefix(target, "/"):
			kind = "file"
		}
		count[kind]++
	}
	return count, nil
}

// socketKinds maps inode numbers to the kind of socket, as far as the
// process's network namespace lists them.
func socketKinds(dir string) map[string]string {
	kinds := make(map[string]string)
	for file, column := range map[string]int{"unix": 6, "packet": 8, "netlink": 9, "raw": 9, "raw6": 9, "tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9} {
		b, err := os.ReadFile(filepath.Join(dir, "net", file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > column {
				kinds[f[column]] = file
			}
		}
	}
	return kinds
}

func interfaces(dir string) (names []string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "net", "dev"))
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if name, _, found := strings.Cut(strings.TrimSpace(line), ":"); found && i >= 2 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// limits reads the hard limits.
func limits(dir string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "limits"))
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		if len(line) > 64 {
			if f := strings.Fields(line[26:]); len(f) >= 2 {
				out[strings.ToLower(strings.TrimSpace(line[:26]))] = f[1]
			}
		}
	}
	delete(out, "limit")
	return out, nil
}
