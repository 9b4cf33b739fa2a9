package audit

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// up is for how long the machine of a made-up /proc has been running.
const up = 1000 * time.Second

// aged says how old a process is.
func (t tree) aged(pid int, age time.Duration) {
	t[fmt.Sprintf("%d/stat", pid)] = fmt.Sprintf("%d (a (name) 1 2) S 1%s %d 9 9\n", pid, strings.Repeat(" 0", 17), (up-age)/(10*time.Millisecond))
}

// without removes a process.
func (t tree) without(pid int) {
	for path := range t {
		if strings.HasPrefix(path, fmt.Sprintf("%d/", pid)) {
			delete(t, path)
		}
	}
}

// unconfined is the child before its second stage: as the spawner has left it.
func (t tree) unconfined() {
	status := strings.NewReplacer("filters:\t2", "filters:\t1", "CapBnd:\t"+none, "CapBnd:\t"+network).Replace(t["102/status"])
	t["102/status"], t["102/task/102/status"] = status, status
	t["102/limits"] = limitsText(map[string]string{"Max open files": "1024"})
}

// reader adds one, with the walls of the child.
func (t tree) reader(name string) {
	for path, text := range maps.Clone(t) {
		if rest, is := strings.CutPrefix(path, "102/"); is {
			t["103/"+strings.Replace(rest, "task/102", "task/103", 1)] = strings.Replace(text, "rvrrpd-netproc", name, 1)
		}
	}
	t["103/exe"] = "-> /usr/libexec/rvrrpd/rvrrpd-read"
	t["103/cmdline"] = "rvrrpd-read\x00"
}

// keeper adds one, with the walls of the child but for what it holds.
func (t tree) keeper() {
	for path, text := range maps.Clone(t) {
		if rest, is := strings.CutPrefix(path, "102/"); is {
			t["105/"+strings.Replace(rest, "task/102", "task/105", 1)] = strings.Replace(text, "rvrrpd-netproc", "rvrrpd-keeper", 1)
		}
	}
	t["105/exe"] = "-> /usr/libexec/rvrrpd/rvrrpd-keeper"
	t["105/cmdline"] = "rvrrpd-keeper\x00"
	t["105/limits"] = limitsText(map[string]string{"Max core file size": "0", "Max open files": "16", "Max processes": "32", "Max file size": "unlimited",
		"Max locked memory": "0", "Max msgqueue size": "0", "Max data size": "268435456"})
	for n, target := range []string{"socket:[10]", "/var/log/rvrrpd.log", "/dev/pts/1", "pipe:[7]"} {
		t[fmt.Sprintf("105/fd/%d", 7+n)] = "-> " + target
	}
}

// keeperUnconfined is the keeper before its second stage, by the name it has.
func (t tree) keeperUnconfined(name string) {
	status := strings.NewReplacer("filters:\t2", "filters:\t1", "rvrrpd-keeper", name).Replace(t["105/status"])
	t["105/status"], t["105/task/105/status"] = status, status
	t.weak(105)
}

// weak takes a process's limits away.
func (t tree) weak(pid int) {
	t[fmt.Sprintf("%d/limits", pid)] = limitsText(map[string]string{"Max core file size": "0"})
}

// TestReader: a reader is there for a moment, behind the walls of the child.
func TestReader(t *testing.T) {
	t.Parallel()
	tree := proper()
	tree.reader("rvrrpd-read")
	if ok, out := tree.audit(t, false, 0); !ok || !strings.Contains(out, "\nreader 103\n") || !strings.Contains(out, "\n  pass the reader is behind the same walls as the child\n") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
	tree.weak(103)
	if ok, out := tree.audit(t, false, 0); ok || strings.Count(out, "\n  FAIL ") != 1 || !strings.Contains(out, "\n  FAIL the reader is behind") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
}

// unwalled is the parent before it closes its filter.
func (t tree) unwalled() {
	status := strings.NewReplacer("filters:\t1", "filters:\t0", "Seccomp:\t2", "Seccomp:\t0", "CapBnd:\t"+network, "CapBnd:\t00000000000030c0").Replace(t["100/status"])
	t["100/status"], t["100/task/100/status"] = status, status
}

// extended gives a process a capability too many.
func (t tree) extended(pid int) {
	path := fmt.Sprintf("%d/task/%d/status", pid, pid)
	t[path] = strings.ReplaceAll(t[path], network, "0000000000003001")
}

// TestExcused: beside what fails, what is to come is called that, and nothing else.
func TestExcused(t *testing.T) {
	t.Parallel()
	tree := proper()
	tree.unconfined()
	tree.extended(100)
	tree.aged(102, 0)
	ok, out := tree.audit(t, false, 0)
	if ok || strings.Count(out, "\n  FAIL the parent ") != 2 || strings.Count(out, "\n  FAIL ") != 2 || !strings.Contains(out, "\n  to come the child ") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
	if _, out := tree.audit(t, true, 0); strings.Contains(out, `"starting"`) || !strings.Contains(out, `"to_come": true`) {
		t.Error(out)
	}
}

// TestStarting: what is young and has not come to its walls yet is told, and
// neither passes nor fails; what has, or takes too long for it, fails.
func TestStarting(t *testing.T) {
	t.Parallel()
	const early = "its network process is not confined yet"
	for _, tt := range []struct {
		name   string
		change func(tree)
		want   string // what is to come, "" where that is no excuse
	}{
		{"no limits yet", func(t tree) { t.unconfined(); t.aged(102, time.Second) }, early},
		{"a child that was started again", func(t tree) { t.unconfined(); t.aged(100, time.Hour); t.aged(102, 0) }, early},
		{"started in this second", func(t tree) { t.unconfined(); t.aged(102, -900*time.Millisecond) }, early},
		{"not executed yet", func(t tree) {
			t.unconfined()
			t["102/status"] = strings.Replace(t["102/status"], "rvrrpd-netproc", "rvrrpd-spawn", 1)
			t["102/exe"] = "-> /usr/sbin/rvrrpd-spawn"
			t.aged(102, 0)
		}, early},
		{"called by a descriptor", func(t tree) {
			t.unconfined()
			t["102/status"] = strings.Replace(t["102/status"], "rvrrpd-netproc", "8", 1)
			t.aged(102, 0)
		}, early},
		{"no child yet", func(t tree) { t.without(102); t.aged(100, 30*time.Second) }, "its network process is not there yet"},
		{"no spawner yet", func(t tree) { t.without(101); t.without(102); t.aged(100, 0) }, "its network process is not there yet"},

		{"the spawner is at work", func(t tree) {
			t.unconfined()
			t["101/fd/9"] = "-> pipe:[3]"
			t.aged(102, 0)
		}, early},
		{"no child yet, and the parent has no filter", func(t tree) { t.without(102); t.unwalled(); t.aged(100, 0) }, "its network process is not there yet"},
		{"no child yet, and the spawner has its privileges", func(t tree) {
			t.without(102)
			t.extended(100)
			t["101/status"] = strings.ReplaceAll(t["101/status"], identities, "00000000000030c0")
			t["101/task/101/status"] = t["101/status"]
			t.aged(100, 0)
		}, "its network process is not there yet"},

		{"again and again, with a capability too many", func(t tree) { t.without(102); t.extended(100); t.aged(100, 3*time.Second); t.aged(101, 3*time.Second) }, ""},
		{"again and again, without limits", func(t tree) { t.without(102); t["100/limits"] = limitsText(nil); t.aged(100, time.Second) }, ""},
		{"a child that is starting, beside a parent with a capability too many", func(t tree) { t.unconfined(); t.extended(100); t.aged(102, 0) }, ""},
		{"a child that is starting, beside a spawner with one too many", func(t tree) {
			t.unconfined()
			t["101/task/101/status"] = strings.ReplaceAll(t["101/task/101/status"], identities, "00000000000030c0")
			t.aged(102, 0)
		}, ""},
		{"a reader that is starting", func(t tree) { t.reader("8"); t.aged(103, 0); t.aged(100, time.Hour); t.weak(103) }, "its reader is not confined yet"},
		{"a reader that has its name already", func(t tree) { t.reader("rvrrpd-read"); t.aged(103, 0); t.weak(103) }, "its reader is not confined yet"},
		{"a reader before the child", func(t tree) {
			t.without(102)
			t.reader("rvrrpd-read")
			t.aged(100, time.Second)
			t.aged(103, 0)
			t.weak(103)
		}, "its network process is not there yet"},
		{"a reader without its name, before the parent has its walls", func(t tree) {
			t.without(102)
			t.reader("8")
			t.weak(103)
			t.unwalled()
			t.aged(100, time.Second)
			t.aged(103, 0)
		}, "its network process is not there yet"},
		{"a reader that has not executed its program, before the parent has its walls", func(t tree) {
			t.reader("rvrrpd-spawn")
			t.without(102)
			t["103/exe"], t["103/cmdline"] = "-> /usr/libexec/rvrrpd/rvrrpd-spawn", "rvrrpd-spawn\x000\x000\x00"
			t.weak(103)
			t.unwalled()
			t.aged(100, time.Second)
			t.aged(103, 0)
			t["103/status"] = strings.Replace(t["103/status"], "filters:\t2", "filters:\t1", 1)
			t["103/task/103/status"] = strings.Replace(t["103/task/103/status"], "filters:\t2", "filters:\t1", 1)
		}, early},
		{"one that has not executed its program, beside a child", func(t tree) {
			t.reader("rvrrpd-spawn")
			t["103/exe"], t["103/cmdline"] = "-> /usr/libexec/rvrrpd/rvrrpd-spawn", "rvrrpd-spawn\x000\x000\x00"
			t.weak(103)
			t.aged(103, 0)
		}, "its reader is not confined yet"},
		{"a keeper that is started again", func(t tree) { t.keeperUnconfined("rvrrpd-keeper"); t.aged(105, 0); t.aged(100, time.Hour) }, "its keeper is not confined yet"},
		{"a keeper called by a descriptor", func(t tree) { t.keeperUnconfined("8"); t.aged(105, 0) }, "its keeper is not confined yet"},
		{"a keeper that has not executed its program", func(t tree) {
			t.keeperUnconfined("rvrrpd-spawn")
			t["105/exe"], t["105/cmdline"] = "-> /usr/libexec/rvrrpd/rvrrpd-spawn", "rvrrpd-spawn\x000\x000\x00"
			t.aged(105, 0)
		}, "its keeper is not confined yet"},
		{"no keeper for long", func(t tree) { t.without(105); t.aged(100, time.Hour) }, ""},
		{"a keeper without limits for long", func(t tree) { t.keeperUnconfined("rvrrpd-keeper"); t.aged(105, time.Minute) }, ""},
		{"a keeper with a filter and no limits", func(t tree) { t.weak(105); t.aged(105, 0); t.aged(100, 0) }, ""},
		{"a reader that stays without limits", func(t tree) { t.reader("rvrrpd-read"); t.aged(103, time.Minute); t.weak(103) }, ""},
		{"a reader that is starting, beside a child with a capability too many", func(t tree) {
			t.reader("rvrrpd-read")
			t.aged(103, 0)
			t.weak(103)
			t["102/task/102/status"] = strings.Replace(t["102/task/102/status"], "CapEff:\t"+none, "CapEff:\t"+network, 1)
		}, ""},
		{"two readers", func(t tree) {
			t.reader("rvrrpd-read")
			t.process(104, t["103/status"], "2", []string{"pipe:[1]"}, nil)
			t.aged(103, 0)
			t.aged(104, 0)
		}, ""},
		{"two that are starting", func(t tree) {
			t.unconfined()
			t.process(103, t["102/status"], "2", []string{"pipe:[1]"}, nil)
			t.aged(102, 0)
			t.aged(103, 0)
		}, ""},
		{"no limits for long", func(t tree) { t.unconfined(); t.aged(102, 10*time.Second) }, ""},
		{"of an unknown age", func(t tree) { t.unconfined() }, ""},
		{"from the future", func(t tree) { t.unconfined(); t.aged(102, -time.Hour) }, ""},
		{"a filter and no limit", func(t tree) { t["102/limits"] = limitsText(nil); t.aged(102, 0); t.aged(100, 0) }, ""},
		{"a child, and a parent without a filter", func(t tree) {
			t["100/task/100/status"] = strings.Replace(t["100/task/100/status"], "filters:\t1", "filters:\t0", 1)
			t.aged(100, 0)
		}, ""},
		{"no child for long", func(t tree) { t.without(102); t.aged(100, time.Hour); t.aged(101, 0) }, ""},
		{"a second child", func(t tree) {
			t.process(103, strings.Replace(t["102/status"], "rvrrpd-netproc", "sh", 1), "2", []string{"pipe:[1]"}, nil)
			t.aged(103, 0)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := proper()
			tt.change(tree)
			var out bytes.Buffer
			ok, err := Run(tree.options(t, &out, false, 0))
			said := out.String()
			if told := errors.Is(err, ErrStarting); ok || told != (tt.want != "") || err != nil && !told {
				t.Fatalf("ok %v, %v:\n%s", ok, err, said)
			}
			if tt.want == "" && !strings.Contains(said, ": NOT AS PROMISED") || tt.want != "" && (strings.Contains(said, "FAIL") ||
				!strings.Contains(said, "daemon 100, profile root: starting: "+tt.want+"\n") || !strings.Contains(said, "\n  to come ")) {
				t.Errorf("it says\n%s", said)
			}
		})
	}
}

// TestStartingBesideBroken: that one daemon is starting excuses no other.
func TestStartingBesideBroken(t *testing.T) {
	t.Parallel()
	tree := proper()
	tree.process(300, statusText("rvrrpd", 1, "0", network, network, "0"), "1", []string{"/dev/null"}, nil)
	tree.aged(300, time.Second)
	var out bytes.Buffer
	if ok, err := Run(tree.options(t, &out, true, 0)); ok || !errors.Is(err, ErrStarting) || !strings.Contains(out.String(), `"starting": "its network process is not there yet"`) {
		t.Errorf("beside one that passes: ok %v, %v:\n%s", ok, err, out.String())
	}
	tree["102/limits"] = limitsText(nil)
	if ok, err := Run(tree.options(t, &out, false, 0)); ok || err != nil {
		t.Errorf("beside one that fails: ok %v, %v:\n%s", ok, err, out.String())
	}
}

// TestAge: this process has one, and a process that nobody knows none.
func TestAge(t *testing.T) {
	t.Parallel()
	o := Options{uptime: uptime}
	if got := age(o, "/proc/self"); got < 0 || got > 3600 {
		t.Errorf("this test is %d s old", got)
	}
	if first := age(o, "/proc/1"); first < age(o, "/proc/self") {
		t.Errorf("the first process is %d s old", first)
	}
	dir := t.TempDir()
	for _, text := range []string{"", "1 (a) S", "1 a S 1 2 3", "1 (a) S" + strings.Repeat(" x", 40)} {
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := age(o, dir); got != -1 {
			t.Errorf("%q: %d", text, got)
		}
	}
}
