//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// noCapability is an empty set in /proc.
const noCapability = "0000000000000000"

// parentCapabilities are NET_ADMIN, NET_RAW, SETUID and SETGID.
const parentCapabilities = "0000000000003000"

// TestConfinement reads the walls around both processes from outside.
func TestConfinement(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	d := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high})
	d.AwaitBackup()
	child := d.Child()
	for _, thread := range lab.Threads(child) {
		expect(t, "child", thread, map[string]string{
			"CapInh": noCapability, "CapPrm": noCapability, "CapEff": noCapability, "CapBnd": noCapability, "CapAmb": noCapability,
			"NoNewPrivs": "1", "Seccomp": "2", "Groups": "",
		})
		if uid := lab.Status(thread)["Uid"]; slices.Contains(strings.Fields(uid), "0") {
			t.Errorf("child %s: Uid %s", thread, uid)
		}
	}
	for _, thread := range lab.Threads(d.PID) {
		expect(t, "parent", thread, map[string]string{
			"CapInh": noCapability, "CapPrm": parentCapabilities, "CapEff": parentCapabilities, "CapBnd": parentCapabilities,
			"CapAmb": noCapability, "NoNewPrivs": "1",
		})
	}
	for _, ns := range []string{"user", "pid", "net", "ipc", "uts", "mnt", "cgroup"} {
		if link(t, d.PID, "ns/"+ns) == link(t, child, "ns/"+ns) {
			t.Errorf("parent and child share the %s namespace", ns)
		}
	}
	if got := lab.Interfaces(child); !slices.Equal(got, []string{"lo"}) {
		t.Errorf("the child sees %v", got)
	}
	if entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root", child)); err != nil || len(entries) != 0 {
		t.Errorf("the child's root holds %v, %v", entries, err)
	}
	undumpable(t, l, d.PID)
	// The kernel gives the files of a process that is not dumpable to root.
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", child))
	if err != nil {
		t.Fatal(err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != 0 {
		t.Errorf("the child is dumpable: its files in /proc are its own")
	}
}

func expect(t *testing.T, who, thread string, want map[string]string) {
	t.Helper()
	got := lab.Status(thread)
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s %s: %s is %q, want %q", who, thread, key, got[key], value)
		}
	}
}

func link(t *testing.T, pid int, name string) string {
	t.Helper()
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Error(err)
	}
	return target
}

// undumpable has a process with the parent's own user and capabilities look
// into it, which the kernel allows unless the other is not dumpable.
func undumpable(t *testing.T, l *lab.Lab, pid int) {
	t.Helper()
	control := l.R1.Start(peer("sleep", "60")...)
	if !lab.Until(2*time.Second, func() bool { return lab.Status(control.PID)["Name"] == "sleep" }) {
		t.Fatalf("no control: %s", control.Output())
	}
	if out, err := look(control.PID); err != nil {
		t.Fatalf("the test itself is wrong: %v: %s", err, out)
	}
	if out, err := look(pid); err == nil || !strings.Contains(out, "Permission denied") {
		t.Errorf("the parent is dumpable: %v %s", err, out)
	}
}

// peer runs a command with the parent's capabilities.
func peer(command ...string) []string {
	return append([]string{"setpriv", "--bounding-set", "-all,+net_admin,+net_raw,+setuid,+setgid"}, command...)
}

func look(pid int) (string, error) {
	argv := peer("readlink", "-v", fmt.Sprintf("/proc/%d/exe", pid))
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	return string(out), err
}
