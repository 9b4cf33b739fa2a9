package lab

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Descendants lists the processes below one, nearest first.
func Descendants(pid int) (pids []int) {
	parents := make(map[int][]int)
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if parent, err := strconv.Atoi(Status(child)["PPid"]); err == nil {
			parents[parent] = append(parents[parent], child)
		}
	}
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		pids = append(pids, parents[todo[0]]...)
		todo = append(todo, parents[todo[0]]...)
	}
	return pids
}

// ProcessorTime is what processes have had of a processor together.
func ProcessorTime(pids ...int) (sum time.Duration) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, after, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(after); len(f) > 12 {
			for _, ticks := range f[11:13] { // in user mode, and in the kernel: USER_HZ is 100
				n, _ := strconv.Atoi(ticks)
				sum += time.Duration(n) * time.Second / 100
			}
		}
	}
	return sum
}

// Children lists the network processes below one.
func Children(pid int) (pids []int) {
	return Named(pid, "rvrrpd-netproc")
}

// Named lists the processes of a program below a process.
func Named(pid int, program string) (pids []int) {
	for _, p := range Descendants(pid) {
		if Status(p)["Name"] == program {
			pids = append(pids, p)
		}
	}
	return pids
}

// Status reads /proc/PID/status, or that of a thread given as "PID/task/TID";
// values have single spaces. A process that is gone has none.
func Status[P int | string](pid P) map[string]string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%v/status", pid))
	if err != nil {
		return nil
	}
	status := make(map[string]string)
	for _, line := range strings.Split(string(b), "\n") {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.Join(strings.Fields(value), " ")
	}
	return status
}

// Threads lists a process's threads as Status takes them.
func Threads(pid int) (threads []string) {
	dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	for _, dir := range dirs {
		threads = append(threads, strings.TrimPrefix(dir, "/proc/"))
	}
	return threads
}

// Interfaces lists the network interfaces a process sees.
func Interfaces(pid int) (names []string) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if name, _, found := strings.Cut(strings.TrimSpace(line), ":"); found && i >= 2 {
			names = append(names, name)
		}
	}
	return names
}

// NetNamespace is the number of a process's network namespace.
func NetNamespace(pid int) string {
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return "?"
	}
	return strings.TrimSuffix(strings.TrimPrefix(target, "net:["), "]")
}

// capabilities by their number, as far as a router's daemon may meet them.
var capabilities = []string{6: "setgid", 7: "setuid", 8: "setpcap", 12: "net_admin", 13: "net_raw", 21: "sys_admin"}

// CapabilityNames spells out a mask of /proc/PID/status.
func CapabilityNames(hex string) string {
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return hex
	}
	var names []string
	for bit := range 64 {
		switch {
		case mask&(1<<bit) == 0:
		case bit < len(capabilities) && capabilities[bit] != "":
			names = append(names, capabilities[bit])
		default:
			return hex
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

// UserName is the name of a user id, or the number.
func UserName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}
