package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Check is one promise held against a process.
type Check struct {
	// Promise is the sentence of docs/threats.md that it stands for.
	Promise string `json:"promise"`
	// Found is what the process has, where that is not what it should have.
	Found string `json:"found,omitempty"`
	Pass  bool   `json:"pass"`
}

// promise is a sentence about processes of some roles, and what breaks it: ""
// is as promised.
type promise struct {
	roles    []string
	profile  string // root, user, or "" for both
	sentence string
	broken   func(p *Process, service string) string
}

// Roles.
const (
	roleParent  = "parent"
	roleSpawner = "spawner"
	roleChild   = "child"
)

var (
	everyRole = []string{roleParent, roleSpawner, roleChild}
	parent    = []string{roleParent}
	spawner   = []string{roleSpawner}
	child     = []string{roleChild}
)

// promises is the table; docs/audit.md explains each row.
var promises = []promise{
	{everyRole, "", "no process of the daemon can gain privileges (no_new_privs)", each(func(t Thread) string { return t.NoNewPrivs }, "1")},
	{everyRole, "", "every thread is behind a seccomp filter", each(func(t Thread) string { return t.Seccomp }, "2")},
	{everyRole, "", "no process leaves a core dump", limit("max core file size", "0")},
	{everyRole, "", "no capability is ambient", set("ambient", "none")},
	{parent, "", "the parent has CAP_NET_ADMIN and CAP_NET_RAW", both("net_admin net_raw")},
	{parent, "", "the parent can get no other capability", set("bounding", "net_admin net_raw")},
	{parent, "", "the parent inherits no capability to a program", inheritable},
	{spawner, "root", "the spawner has CAP_SETUID and CAP_SETGID", both("setgid setuid")},
	{spawner, "user", "the spawner has no capability", both("none")},
	{spawner, "", "the spawner holds no socket but that to the parent", holds(map[string]int{"unix": 1, "pipe": 2, "eventpoll": 1, "eventfd": 1})},
	{child, "", "the child has no capability in any set", noCapability},
	{child, "", "the child runs as a user of its own, not root", ownUser},
	{child, "user", "the child runs as the service user, in a user namespace of its own", nil},
	{child, "", "the child has every namespace to itself", ownNamespaces},
	{child, "", "the child's root directory is empty", func(p *Process, _ string) string { return strings.Join(p.Root, " ") }},
	{child, "", "the child's network has no interface but its own loopback", func(p *Process, _ string) string {
		if slices.Equal(p.Interfaces, []string{"lo"}) {
			return ""
		}
		return strings.Join(p.Interfaces, " ")
	}},
	{child, "", "the child holds its two lanes, the pipe for its last words, and nothing else", holds(map[string]int{"socket": 2, "pipe": 3, "eventpoll": 1, "eventfd": 1})},
	{child, "", "the child can open no descriptor", limit("max open files", "2")},
	{child, "", "the child can start a few threads, and no process", limit("max processes", "32")},
	{child, "", "the child can write no file", limit("max file size", "0")},
	{child, "", "the child's memory is bounded", limit("max data size", "268435456")},
}

// each wants one value from every thread.
func each(value func(Thread) string, want string) func(*Process, string) string {
	return func(p *Process, _ string) string {
		for _, t := range p.Threads {
			if got := value(t); got != want {
				return fmt.Sprintf("thread %d: %s", t.TID, got)
			}
		}
		return ""
	}
}

func set(name, want string) func(*Process, string) string {
	return each(func(t Thread) string { return t.Sets[name] }, want)
}

// both wants the same of the permitted and the effective set.
func both(want string) func(*Process, string) string {
	return func(p *Process, service string) string {
		if broken := set("permitted", want)(p, service); broken != "" {
			return "permitted: " + broken
		}
		if broken := set("effective", want)(p, service); broken != "" {
			return "effective: " + broken
		}
		return ""
	}
}

// inheritable capabilities are harmless without a program that has them in
// its file; a service manager leaves those it made ambient.
func inheritable(p *Process, _ string) string {
	for _, t := range p.Threads {
		if got := t.Sets["inheritable"]; got != "none" && got != "net_admin net_raw" {
			return fmt.Sprintf("thread %d: %s", t.TID, got)
		}
	}
	return ""
}

func noCapability(p *Process, service string) string {
	for _, name := range []string{"inheritable", "permitted", "effective", "bounding", "ambient"} {
		if broken := set(name, "none")(p, service); broken != "" {
			return name + ": " + broken
		}
	}
	return ""
}

func limit(name, want string) func(*Process, string) string {
	return func(p *Process, _ string) string {
		if got := p.Limits[name]; got != want {
			return fmt.Sprintf("%s: %q", name, got)
		}
		return ""
	}
}

// ownUser: four times the same user id that is not root, and no group but
// its own.
func ownUser(p *Process, _ string) string {
	for _, t := range p.Threads {
		ids := append(strings.Fields(t.UIDs), strings.Fields(t.GIDs)...)
		uids, gids := slices.Compact(strings.Fields(t.UIDs)), slices.Compact(strings.Fields(t.GIDs))
		if slices.Contains(ids, "0") || len(uids) != 1 || len(gids) != 1 || t.Groups != "" && t.Groups != gids[0] {
			return fmt.Sprintf("thread %d: uids %s, gids %s, groups %q", t.TID, t.UIDs, t.GIDs, t.Groups)
		}
	}
	return ""
}

func ownNamespaces(p *Process, _ string) string {
	for _, ns := range namespaces {
		if p.Namespaces[ns] != "own" {
			return ns + ": " + p.Namespaces[ns]
		}
	}
	return ""
}

// holds wants no more descriptors of any kind than these.
func holds(most map[string]int) func(*Process, string) string {
	return func(p *Process, _ string) string {
		for kind, n := range p.Descriptors {
			if n > most[kind] {
				return fmt.Sprintf("%d of %s", n, kind)
			}
		}
		return ""
	}
}

// judge holds the promises of its role against a process; service is the
// user id of the parent.
func judge(p *Process, service string) {
	profile := "user"
	if service == "0" {
		profile = "root"
	}
	for _, row := range promises {
		if !slices.Contains(row.roles, p.Role) || row.profile != "" && row.profile != profile {
			continue
		}
		broken := row.broken
		if broken == nil {
			broken = sameUser
		}
		found := broken(p, service)
		p.Checks = append(p.Checks, Check{Promise: row.sentence, Found: found, Pass: found == ""})
	}
}

// sameUser: where the parent is not root, its child cannot have another user.
func sameUser(p *Process, service string) string {
	for _, t := range p.Threads {
		if uid, _, _ := strings.Cut(t.UIDs, " "); uid != service {
			return fmt.Sprintf("thread %d: uids %s, the parent's is %s", t.TID, t.UIDs, service)
		}
	}
	return ""
}
