package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// limit wants a hard limit.
func limit(name, want string) rule {
	return func(p *Process, _ *Daemon) string {
		if got := p.Limits[name]; got != want {
			return fmt.Sprintf("%s: %q", name, got)
		}
		return ""
	}
}

// atMost wants a hard limit that is no higher.
func atMost(name string, most uint64) rule {
	return func(p *Process, _ *Daemon) string {
		if n, err := strconv.ParseUint(p.Limits[name], 10, 64); err != nil || n > most {
			return fmt.Sprintf("%s: %q", name, p.Limits[name])
		}
		return ""
	}
}

// ownUser: one user id and one group id that are not root's nor the
// parent's, and no supplementary group.
func ownUser(p *Process, d *Daemon) string {
	for _, t := range p.Threads {
		uid, gid, one := identity(t)
		if !one || uid == "0" || gid == "0" || uid == d.service() || t.Groups != "" {
			return describe(t)
		}
	}
	return ""
}

// serviceUser: the parent's ids and groups; who is not root has no others to
// give.
func serviceUser(p *Process, d *Daemon) string {
	above := d.Processes[0].Threads[0]
	for _, t := range p.Threads {
		if _, _, one := identity(t); !one || t.UIDs != above.UIDs || t.GIDs != above.GIDs || t.Groups != above.Groups {
			return describe(t)
		}
	}
	return ""
}

// identity is a thread's user and group id, if it has one each: real, effective,
// saved and for files.
func identity(t Thread) (uid, gid string, one bool) {
	uids, gids := slices.Compact(strings.Fields(t.UIDs)), slices.Compact(strings.Fields(t.GIDs))
	if len(uids) != 1 || len(gids) != 1 {
		return "", "", false
	}
	return uids[0], gids[0], true
}

func describe(t Thread) string {
	return fmt.Sprintf("thread %d: users %s, groups %s, supplementary groups %q", t.TID, t.UIDs, t.GIDs, t.Groups)
}

// oneUser wants the child's user namespace to map one user, who outside is
// not root.
func oneUser(p *Process, _ *Daemon) string {
	if f := strings.Fields(p.UIDMap); len(f) != 3 || f[1] == "0" || f[2] != "1" {
		return p.UIDMap
	}
	return ""
}

func ownNamespaces(p *Process, _ *Daemon) string {
	for _, ns := range namespaces {
		if p.Namespaces[ns] != "own" {
			return ns + ": " + p.Namespaces[ns]
		}
	}
	return ""
}

// oneMount wants one line: mount point, options, ..., type.
func oneMount(p *Process, _ *Daemon) string {
	if len(p.Mounts) != 1 {
		return fmt.Sprintf("%d mounts: %s", len(p.Mounts), strings.Join(p.Mounts, "; "))
	}
	f := strings.Fields(p.Mounts[0])
	if f[0] != "/" || len(f) < 2 {
		return p.Mounts[0]
	}
	options := strings.Split(f[1], ",")
	for _, want := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !slices.Contains(options, want) {
			return fmt.Sprintf("not %s: %s", want, p.Mounts[0])
		}
	}
	return ""
}

func onlyLoopback(p *Process, _ *Daemon) string {
	if slices.Equal(p.Interfaces, []string{"lo"}) {
		return ""
	}
	return fmt.Sprintf("interfaces: %q", p.Interfaces)
}

// holds wants no more descriptors of any kind than these.
func holds(most map[string]int) rule {
	return func(p *Process, _ *Daemon) string {
		for kind, n := range p.Descriptors {
			if n > most[kind] {
				return fmt.Sprintf("%d of kind %s", n, kind)
			}
		}
		return ""
	}
}

// spawnerHolds: one that is a service of its own writes to its log.
func spawnerHolds(p *Process, d *Daemon) string {
	if d.Activated {
		// Which sockets they are does not show where it has a network of its own.
		if n := p.Descriptors["unix"] + p.Descriptors["socket"]; n > 3 {
			return fmt.Sprintf("%d sockets", n)
		}
		return holds(map[string]int{"unix": 3, "socket": 3, "pipe": 2, "eventpoll": 1, "eventfd": 1})(p, d)
	}
	return holds(map[string]int{"unix": 1, "pipe": 2, "eventpoll": 1, "eventfd": 1})(p, d)
}

// logsHeld is how many logs a keeper holds at the most: three, and for a moment each twice.
const logsHeld = 6

// keeperHolds: beside what a child has, the lane of lines, the socket by which it sees routes,
// and the logs: files, pipes, a terminal.
func keeperHolds(p *Process, _ *Daemon) string {
	most, logs := map[string]int{"socket": 4, "pipe": 3, "eventpoll": 1, "eventfd": 1}, 0
	for kind, n := range p.Descriptors {
		over := max(0, n-most[kind])
		if log := kind == "file" || kind == "socket" || kind == "pipe" || strings.HasPrefix(kind, "/dev/"); !log && over > 0 {
			return fmt.Sprintf("%d of kind %s", n, kind)
		}
		logs += over
	}
	if logs > logsHeld {
		return fmt.Sprintf("%d logs: %v", logs, p.Descriptors)
	}
	return ""
}

// without wants no descriptor of some kinds.
func without(kinds ...string) rule {
	return func(p *Process, _ *Daemon) string {
		for _, kind := range kinds {
			if n := p.Descriptors[kind]; n > 0 {
				return fmt.Sprintf("%d of kind %s", n, kind)
			}
		}
		return ""
	}
}
