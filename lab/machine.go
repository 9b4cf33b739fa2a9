package lab

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Machine is a Debian of its own in a node's network, whose first process is a
// real systemd: in a container, which is as near as one kernel gets.
type Machine struct {
	// Process is the container, and what its console says.
	*Process
	// Root is the directory that it sees as its root.
	Root string
	node *Node
	// first is the process number of its systemd.
	first int
}

// machines counts those of this process.
var machines atomic.Int32

// bootTime bounds a boot: some three seconds on a machine that has nothing
// else to do.
const bootTime = 90 * time.Second

// rebooted is the exit status of a container that wants to be started again.
const rebooted = 133

// Boot boots the Debian in a directory and waits until it is up.
func (n *Node) Boot(root string) *Machine {
	n.lab.Helper()
	n.past.foreign = true // its daemons are not ours to start again
	m := &Machine{Root: root, node: n}
	m.start()
	return m
}

// Again boots it once more after an end.
func (m *Machine) Again() {
	m.node.lab.Helper()
	m.start()
}

func (m *Machine) start() {
	m.node.lab.Helper()
	m.Process = &Process{name: "machine on " + m.node.Name, lab: m.node.lab, done: make(chan struct{})}
	// Landlock is a system call that nspawn does not know; with a network given
	// by its path it would take CAP_NET_ADMIN away.
	name := prefix + strconv.Itoa(int(machines.Add(1)))
	m.Process.start(m.node.lab.apart(name, []string{"systemd-nspawn", "--quiet", "--directory=" + m.Root, "--machine=" + name,
		"--keep-unit", "--register=no", "--console=pipe", "--boot", "--system-call-filter=@known",
		"--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_ADMIN", "--network-namespace-path=" + filepath.Join(namespacesDir, m.node.Namespace)}))
	var state string
	if !Until(bootTime, func() bool {
		m.first = m.systemd()
		if m.first > 0 {
			_, state = m.Run("systemctl", "is-system-running")
		}
		return state == "running" || state == "degraded" || m.Ended()
	}) || m.Ended() {
		m.lab.Fatalf("%s: does not boot: %q; it said\n%s", m.name, state, m.Output())
	}
}

// systemd is the process number of its first process; 0 while there is none.
func (m *Machine) systemd() int {
	for _, pid := range Descendants(m.PID) {
		st := Status(pid)
		if numbers := strings.Fields(st["NSpid"]); st["Name"] == "systemd" && len(numbers) == 2 && numbers[1] == "1" {
			return pid
		}
	}
	return 0
}

// Run runs a command inside to its end, as root. What it said is without the
// space around it.
func (m *Machine) Run(argv ...string) (status int, said string) {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(m.first), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "SYSTEMD_PAGER="}
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(string(out))
}

// Must is Run of a command that has to succeed.
func (m *Machine) Must(argv ...string) (said string) {
	m.lab.Helper()
	status, said := m.Run(argv...)
	if status != 0 {
		m.lab.Fatalf("%s: status %d\n%s\n%s", strings.Join(argv, " "), status, said, m.Journal())
	}
	return said
}

// Journal is the log since the boot.
func (m *Machine) Journal() string {
	_, said := m.Run("journalctl", "--boot", "--no-pager", "--output=short-precise")
	return said
}

// Processes lists the processes inside that have a name, as we see them.
func (m *Machine) Processes(name string) (pids []int) {
	for _, pid := range Descendants(m.PID) {
		if Status(pid)["Name"] == name {
			pids = append(pids, pid)
		}
	}
	return pids
}

// AwaitOff waits for the end of the machine after a command that ends it, and
// says whether it is to be booted again.
func (m *Machine) AwaitOff(timeout time.Duration) (again bool) {
	m.lab.Helper()
	return m.AwaitExit(timeout) == rebooted
}
