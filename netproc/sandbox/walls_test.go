//go:build lab

package sandbox_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSeenFromOutside compares what /proc tells about a confined process with
// what is promised, for every thread, before it works and while it does.
func TestSeenFromOutside(t *testing.T) {
	t.Parallel()
	for profile, way := range profiles {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			user := map[string]int{"root": nobody, "user": serviceUser}[profile]
			seenFromOutside(t, begin(t, way("busy")), user)
		})
	}
}

func seenFromOutside(t *testing.T, c *child, user int) {
	t.Helper()
	none, ids := "0000000000000000", strings.TrimSpace(strings.Repeat(strconv.Itoa(user)+" ", 4))
	want := map[string]string{
		"Uid": ids, "Gid": ids, "Groups": "",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
	}
	look := func() {
		tasks := c.tasks(t)
		if len(tasks) < 2 {
			t.Errorf("threads are %v: the Go runtime has more", tasks)
		}
		for _, task := range tasks {
			got := map[string]string{}
			for line := range strings.Lines(c.proc(t, task+"/status")) {
				key, value, _ := strings.Cut(line, ":")
				got[key] = fields(value)
			}
			for key, value := range want {
				if have, there := got[key]; !there || have != value {
					t.Errorf("%s: %s is %q, want %q", task, key, have, value)
				}
			}
			for _, ns := range []string{"user", "pid", "net", "ipc", "uts", "mnt", "cgroup"} {
				ours, _ := os.Readlink("/proc/self/ns/" + ns)
				theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/%s/ns/%s", c.pid, task, ns))
				if err != nil || ours == theirs {
					t.Errorf("%s: %s namespace is %q, ours %q, %v", task, ns, theirs, ours, err)
				}
			}
		}
	}
	look()
	surroundings(t, c, user)
	c.proceed()
	look()
	c.proceed()
	if got := c.result(); got != "done" {
		t.Errorf("afterwards: %s", got)
	}
}

// descriptors checks what is behind those it has.
func descriptors(t *testing.T, c *child) {
	t.Helper()
	pipe, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", c.pid))
	for fd, want := range map[int]string{0: pipe, 1: pipe, 2: "pipe:", 3: "socket:", 4: "socket:", 5: "anon_inode:[eventpoll]", 6: "anon_inode:[eventfd]"} {
		if got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.pid, fd)); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("descriptor %d is %q, want %q, %v", fd, got, want, err)
		}
	}
}

// surroundings checks what the process could reach.
func surroundings(t *testing.T, c *child, user int) {
	t.Helper()
	folders := map[string]string{"root": "", "cwd": ""}
	if user == nobody { // a service user's are its own to look at, and the spawner does
		folders["fd"] = "0 1 2 3 4 5 6"
		descriptors(t, c)
	}
	for folder, want := range folders {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", c.pid, folder))
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s holds %v, want %q, %v", folder, got, want, err)
		}
	}
	if dev := c.proc(t, "net/dev"); strings.Count(dev, "\n") != 3 || !strings.Contains(dev, "lo:") {
		t.Errorf("interfaces: %s", dev)
	}
	// One line: number, parent, device, root, mount point, options, ..., type.
	mount := strings.Split(c.proc(t, "mountinfo"), "\n")
	if f := strings.Fields(mount[0]); len(mount) != 2 || len(f) < 9 || f[4] != "/" || f[5] != "ro,nosuid,nodev,noexec,relatime" || f[7] != "tmpfs" {
		t.Errorf("mounts: %q", mount)
	}
	var root syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d/root/.", c.pid), &root); err != nil || root.Mode&0o7777 != 0o555 {
		t.Errorf("mode of the root: %o, %v", root.Mode, err)
	}
	limits := fields(c.proc(t, "limits"))
	for _, want := range []string{"Max open files 2 2", "Max processes 32 32", "Max core file size 0 0", "Max file size 0 0",
		"Max locked memory 0 0", "Max msgqueue size 0 0", "Max data size 268435456 268435456"} {
		if !strings.Contains(limits, want) {
			t.Errorf("no %q in the limits: %s", want, limits)
		}
	}
	// The kernel gives the files of a process that is not dumpable to root, or
	// to user 0 of its user namespace, which may be itself.
	inside, owner := user, 0
	if user == serviceUser {
		inside, owner = 0, user
	}
	var stat unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/maps", c.pid), &stat); err != nil || int(stat.Uid) != owner {
		t.Errorf("dumpable: its files in /proc belong to user %d, %v", stat.Uid, err)
	}
	if got := fields(c.proc(t, "uid_map")); got != fmt.Sprintf("%d %d 1", inside, user) {
		t.Errorf("users of the namespace: %q", got)
	}
}
