package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Check is one promise held against a process.
type Check struct {
	// Promise is the sentence of docs/audit.md that it stands for.
	Promise string `json:"promise"`
	// Found is what the process has, where that is not what it should have.
	Found string `json:"found,omitempty"`
	Pass  bool   `json:"pass"`
	// ToCome: it is not kept yet, by a process that is starting.
	ToCome bool `json:"to_come,omitempty"`
}

// rule says what breaks a promise: "" is as promised.
type rule func(p *Process, d *Daemon) string

// promise is a sentence about processes of some roles.
type promise struct {
	roles    []string
	profile  string // root or user, daemon or sniffer, or "" for all
	sentence string
	broken   rule
}

// Roles.
const (
	roleParent  = "parent"
	roleSpawner = "spawner"
	roleChild   = "child"
	roleReader  = "reader" // there for a moment
	roleKeeper  = "keeper" // a sniffer has none
)

var (
	everyone = []string{roleParent, roleSpawner, roleChild, roleReader, roleKeeper}
	parent   = []string{roleParent}
	spawner  = []string{roleSpawner}
	child    = []string{roleChild}
	reader   = []string{roleReader}
	keeper   = []string{roleKeeper}
)

// count is how many processes play a role at the least and at the most.
var count = map[string][2]int{roleParent: {1, 1}, roleSpawner: {1, 1}, roleChild: {1, 1}, roleReader: {0, 1}, roleKeeper: {1, 1}}

// spawnerHoldsLittle is a promise that does not hold for the moment in which the
// spawner starts a child.
const spawnerHoldsLittle = "the spawner holds its end of the parent's socket, the pipe for its last words, and nothing else"

// promises is the table; docs/audit.md explains each row.
var promises = slices.Concat(ofPrivileged, ofChild, ofReader, ofKeeper)

var ofPrivileged = []promise{
	{everyone, "", "no program it starts can have more privileges", each(func(t Thread) string { return t.NoNewPrivs }, "1")},
	{everyone, "", "every thread is behind a seccomp filter", filtered},
	{everyone, "", "it leaves no core dump", limit("max core file size", "0")},
	{everyone, "", "its memory is closed to its own user", undumpable},
	{everyone, "", "a program it starts gets no capability", all(set("inheritable", "none"), set("ambient", "none"))},

	{parent, "sniffer", "the sniffer has no capability", all(set("permitted", "none"), set("effective", "none"))},
	{parent, "daemon", "the parent has CAP_NET_ADMIN and CAP_NET_RAW", all(set("permitted", "net_admin net_raw"), set("effective", "net_admin net_raw"))},
	{parent, "daemon", "the parent can get no other capability", set("bounding", "net_admin net_raw")},
	{parent, "", "the parent's descriptors and memory are bounded", all(atMost("max open files", 16384), atMost("max data size", 512<<20))},
	{parent, "", "the parent listens on no TCP or UDP port", without("tcp", "tcp6", "udp", "udp6")},

	{spawner, "root", "the spawner has CAP_SETUID and CAP_SETGID, and can get no other capability",
		all(set("permitted", "setgid setuid"), set("effective", "setgid setuid"), set("bounding", "setgid setuid"))},
	{spawner, "user", "the spawner has no capability", all(set("permitted", "none"), set("effective", "none"))},
	{spawner, "", spawnerHoldsLittle, spawnerHolds},
}

// Promises about the child that do not hold for the keeper.
const (
	childHolds  = "the child holds its two lanes, the pipe for its last words, and nothing else"
	childOpens  = "the child can open no descriptor"
	childWrites = "the child can write no file"
)

var ofChild = []promise{
	{child, "", "the child has no capability and can get none", noCapability},
	{child, "", "the child has a seccomp filter of its own", ownFilter},
	{child, "root", "the child is a user of its own, in no other group", ownUser},
	{child, "user", "the child is the service user, in no other group", serviceUser},
	{child, "", "the child's user namespace knows no other user", oneUser},
	{child, "", "the child has every namespace to itself", ownNamespaces},
	{child, "", "the child's root directory is empty", func(p *Process, _ *Daemon) string { return strings.Join(p.Root, " ") }},
	{child, "", "the child has one mount, in which nothing can be written or executed", oneMount},
	{child, "", "the child's network has no interface but its own loopback", onlyLoopback},
	{child, "", childHolds,
		holds(map[string]int{"socket": 2, "pipe": 3, "eventpoll": 1, "eventfd": 1})},
	{child, "", childOpens, limit("max open files", "2")},
	{child, "", "the child can start a few threads", limit("max processes", "32")},
	{child, "", childWrites, limit("max file size", "0")},
	{child, "", "the child can lock no memory and make no message queue", all(limit("max locked memory", "0"), limit("max msgqueue size", "0"))},
	{child, "", "the child's memory is bounded", limit("max data size", "268435456")},
}

var ofReader = []promise{
	{reader, "", "the reader is behind the same walls as the child", walledIn()},
}

var ofKeeper = []promise{
	{keeper, "", "the keeper is behind the same walls as the child, but for what it holds", walledIn(childHolds, childOpens, childWrites)},
	{keeper, "", "the keeper holds its lanes, the logs that it writes, a socket by which it sees routes, the pipe for its last words, and nothing else", keeperHolds},
	{keeper, "", "the keeper can open few descriptors", limit("max open files", "16")},
}

// walledIn wants of another process what is promised of a child, but for some of it.
func walledIn(but ...string) rule {
	return func(p *Process, d *Daemon) string {
		for _, row := range ofChild {
			if row.profile != "" && row.profile != d.Profile || slices.Contains(but, row.sentence) {
				continue
			}
			if found := row.broken(p, d); found != "" {
				return found
			}
		}
		return ""
	}
}

// landlock is what can be concluded about it in each role: the kernel does
// not show it.
var landlock = map[string]string{
	roleParent:  "not shown by the kernel; its filter, which is, comes after it and without it the parent does not start",
	roleSpawner: "none: it would keep the child from leaving the file system",
	roleChild:   "not shown by the kernel; its filter, which is, comes after it and without it the child does not start",
	roleReader:  "not shown by the kernel; its filter, which is, comes after it and without it the reader does not start",
	roleKeeper:  "not shown by the kernel; its filter, which is, comes after it and without it the keeper does not start",
}

// judge holds the promises of their roles against the processes.
func (d *Daemon) judge() {
	user, kind := "user", "daemon"
	if d.service() == "0" {
		user = "root"
	}
	if d.Profile = user; d.sniffer {
		d.Profile, kind = "sniffer", "sniffer"
	}
	d.Pass = true
	for _, role := range everyone {
		n := 0
		for _, p := range d.Processes {
			if p.Role == role {
				n++
			}
		}
		if n < count[role][0] && !(role == roleKeeper && d.sniffer) || n > count[role][1] {
			d.Missing = append(d.Missing, fmt.Sprintf("%d processes are its %s, not 1", n, role))
			d.Pass, d.tooMany = false, d.tooMany || n > 1
		}
	}
	for _, p := range d.Processes {
		p.Landlock = landlock[p.Role]
		if d.Activated && p.Role == roleParent {
			p.Landlock = "not shown by the kernel, and its filter cannot be told from those of its service"
		}
		for _, row := range promises {
			if !slices.Contains(row.roles, p.Role) || row.profile != "" && row.profile != user && row.profile != kind {
				continue
			}
			found := row.broken(p, d)
			p.Checks = append(p.Checks, Check{Promise: row.sentence, Found: found, Pass: found == ""})
			d.Pass = d.Pass && found == ""
		}
	}
	if !d.Pass {
		d.Starting = d.excuse()
	}
}

// all wants several things.
func all(rules ...rule) rule {
	return func(p *Process, d *Daemon) string {
		for _, broken := range rules {
			if found := broken(p, d); found != "" {
				return found
			}
		}
		return ""
	}
}

// each wants one value from every thread.
func each(value func(Thread) string, want string) rule {
	return func(p *Process, _ *Daemon) string {
		for _, t := range p.Threads {
			if got := value(t); got != want {
				return fmt.Sprintf("thread %d: %q", t.TID, got)
			}
		}
		return ""
	}
}

// set wants a capability set to be exactly this in every thread.
func set(name, want string) rule {
	broken := each(func(t Thread) string { return t.Sets[name] }, want)
	return func(p *Process, d *Daemon) string {
		if found := broken(p, d); found != "" {
			return name + ": " + found
		}
		return ""
	}
}

// noCapability wants every set to be empty.
func noCapability(p *Process, d *Daemon) string {
	for _, name := range []string{"permitted", "effective", "bounding", "inheritable", "ambient"} {
		if found := set(name, "none")(p, d); found != "" {
			return found
		}
	}
	return ""
}

// filtered: filters of a service manager are inherited, and do not make up
// for a missing one of ours: parent and spawner have as many.
func filtered(p *Process, d *Daemon) string {
	if found := each(func(t Thread) string { return t.Seccomp }, "2")(p, d); found != "" {
		return "mode of " + found
	}
	if d.Activated {
		return "" // the filters of two services have nothing in common
	}
	other := d.first(roleSpawner)
	if p.Role != roleParent || other == nil {
		return ""
	}
	if found := each(func(t Thread) string { return t.Filters }, other.Threads[0].Filters)(p, d); found != "" {
		return "not as many filters as the spawner: " + found
	}
	return ""
}

// ownFilter: the child inherits the spawner's filters, and adds one.
func ownFilter(p *Process, d *Daemon) string {
	above := d.first(roleSpawner)
	if above == nil {
		return "there is no spawner to compare with"
	}
	inherited, err := strconv.Atoi(above.Threads[0].Filters)
	if err != nil {
		return "this kernel does not count filters"
	}
	if found := each(func(t Thread) string { return t.Filters }, strconv.Itoa(inherited+1))(p, d); found != "" {
		return fmt.Sprintf("filters, of which %d are inherited: %s", inherited, found)
	}
	return ""
}

func undumpable(p *Process, _ *Daemon) string {
	if p.Dumpable == "yes" {
		return "it is dumpable"
	}
	return ""
}
