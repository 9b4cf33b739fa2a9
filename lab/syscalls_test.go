//go:build lab

package lab_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// kept are the lines of the network process's list that no run can show on
// every machine, and why they stay.
var kept = map[string]string{
	"mmap: state of the random numbers in the vDSO":                                          "kernels from 6.11 on",
	"getrandom: seed of the random numbers in the vDSO, or instead of them":                  "before 6.11 for every number, later once in a while",
	"clock_gettime: where the clock is not in the vDSO":                                      "machines whose clock source is not in the vDSO, virtual ones above all",
	"prctl: names of mappings, which the runtime can do without":                             "kernels with CONFIG_ANON_VMA_NAME; the runtime tries once, before the filter is there",
	"madvise: heap: no huge pages for its index; never merged with those of other processes": "a heap that begins, at random, below a multiple of 32 GiB and grows across it",
}

// TestSystemCalls traces the daemon through its life: start, takeover,
// reloads, stop and continue, crashes of several kinds, stop; and once more
// with a network process whose runtime is kept busy and that panics; and the sniffer. No
// process makes a call behind its filter that is not on its list, arguments
// included. Every line of the network process's list is used, or has its
// reason to stay; of the others' lists what was not used is told, and of the reader, which has the network process's.
func TestSystemCalls(t *testing.T) {
	seen := newTraces()
	seen.follow(t, traceLife(t))
	seen.follow(t, traceStress(t))
	for _, file := range traceSniffer(t) {
		seen.follow(t, file)
	}
	for _, call := range slices.Sorted(maps.Keys(seen.unlisted)) {
		t.Errorf("not on the list, %d times: %s", seen.unlisted[call], call)
	}
	if seen.loaded["rvrrpd-parent"] != 2 || seen.loaded["rvrrpd-spawn"] != 4 || seen.loaded["rvrrpd-netproc"] < 8 || seen.loaded["rvrrpd-read"] < 8 || seen.loaded["rvrrpd-keeper"] < 2 || seen.loaded["rvrrpd-sniff"] != 2 {
		t.Fatalf("filters loaded: %v", seen.loaded)
	}
	seen.report(t, "rvrrpd-parent")
	seen.report(t, "rvrrpd-spawn")
	seen.report(t, "rvrrpd-sniff")
	seen.report(t, "rvrrpd-read")
	seen.report(t, "rvrrpd-keeper")
	never := seen.report(t, "rvrrpd-netproc")
	for _, line := range never {
		if kept[line] == "" {
			t.Errorf("on the list and never used: %s", line)
		} else {
			t.Logf("never used, kept: %s: %s", line, kept[line])
		}
	}
}

// traceLife runs the daemon as it is.
func traceLife(t *testing.T) (file string) {
	t.Helper()
	l := lab.New(t)
	dir := t.TempDir()
	conf, file := filepath.Join(dir, "conf"), filepath.Join(dir, "trace")
	write := func(routers int, more string) {
		var b strings.Builder
		fmt.Fprintf(&b, "state_dir = %q\n", filepath.Join(dir, "state"))
		for i := range routers {
			fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\nvip = \"10.9.1.%d/24\"\nversion = 3\n"+timers3+"\n", i+1, i+1)
			switch i {
			case 1:
				b.WriteString("netdrv = \"ioctl\"\n")
			case 2:
				fmt.Fprintf(&b, "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\nmode = \"enforce\"\nanti_replay = \"monotonic\"\n[[vrouter.hmac.key]]\nid = 1\nvalue = %q\n", key1)
			}
		}
		b.WriteString("[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = [\"fe80::9:254\", \"2001:db8:9::254/64\"]\nversion = 3\naccept_mode = false\n")
		if err := os.WriteFile(conf, []byte(b.String()+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(3, "")
	p := l.R1.Start(straced(file, lab.Binary("rvrrpd"), "-m1", "-c", conf)...)
	p.AwaitLine(0, 20*time.Second, "backup->active")
	for _, routers := range []int{200, 3, 100, 3} {
		write(routers, "")
		mark := p.Len()
		p.Signal(syscall.SIGHUP)
		p.AwaitLine(mark, 30*time.Second, "configuration loaded")
	}
	// Another interface comes and goes.
	l.R1.IP("link add other type veth peer name beyond", "link set other up", "link set beyond up", "addr add 10.8.0.1/24 dev other")
	for _, text := range []string{"[[vrouter]]\ngroup = 8\ninterface = \"other\"\nvip = \"10.8.0.254/24\"\n", ""} {
		write(3, text)
		mark := p.Len()
		p.Signal(syscall.SIGHUP)
		p.AwaitLine(mark, 30*time.Second, "configuration loaded")
	}
	stopAndContinue(t, p, 5)
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGQUIT, syscall.SIGKILL} {
		mark := p.Len()
		lab.Until(5*time.Second, func() bool { return len(lab.Children(p.PID)) == 1 })
		syscall.Kill(lab.Children(p.PID)[0], sig)
		p.AwaitLine(mark, 20*time.Second, "network process crashed")
		p.AwaitLine(mark, 20*time.Second, "msg=ready")
	}
	end(t, p)
	return file
}

// traceStress runs it with a network process that works its runtime, until
// that panics.
func traceStress(t *testing.T) (file string) {
	t.Helper()
	l := lab.New(t)
	dir := t.TempDir()
	conf, file := filepath.Join(dir, "conf"), filepath.Join(dir, "trace")
	if err := os.WriteFile(conf, []byte(auditConfiguration), 0o600); err != nil {
		t.Fatal(err)
	}
	p := l.R1.Start(straced(file, installation(t, "./lab/hostile/stress"), "-m1", "-c", conf)...)
	p.AwaitLine(0, 20*time.Second, "msg=ready")
	stopAndContinue(t, p, 20)
	p.AwaitLine(0, time.Minute, "network process says.*nil pointer dereference")
	p.AwaitLine(0, 20*time.Second, "msg=\"network process crashed\"")
	p.AwaitLine(p.Len()-1, 20*time.Second, "msg=ready")
	end(t, p)
	return file
}

// traceSniffer runs the sniffer on an interface, and then on what it has written.
func traceSniffer(t *testing.T) (files []string) {
	t.Helper()
	l := lab.New(t)
	dir := t.TempDir()
	conf, frames := filepath.Join(dir, "conf"), filepath.Join(dir, "frames")
	if err := os.WriteFile(conf, []byte(auditConfiguration), 0o600); err != nil {
		t.Fatal(err)
	}
	l.R2.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}).AwaitActive(0)
	for i, source := range [][]string{{"-i", lab.Interface, "-w", frames, "--count", "3"}, {"-r", frames}} {
		files = append(files, filepath.Join(dir, fmt.Sprint("trace", i)))
		argv := append([]string{lab.Binary("rvrrpd"), "-m0", "-c", conf}, source...)
		p := l.R1.Start(straced(files[i], argv...)...)
		if status := p.AwaitExit(time.Minute); status != 0 || len(p.From(0)) != 3 {
			t.Errorf("%v: status %d; it said\n%s", source, status, p.Output())
		}
	}
	return files
}

// stopAndContinue stops the network process some times, and lets it go on.
func stopAndContinue(t *testing.T, p *lab.Process, times int) {
	t.Helper()
	child := lab.Children(p.PID)[0]
	for range times {
		syscall.Kill(child, syscall.SIGSTOP)
		lab.Until(time.Second, func() bool { return strings.HasPrefix(strings.ToLower(lab.Status(child)["State"]), "t") })
		syscall.Kill(child, syscall.SIGCONT)
	}
}

func end(t *testing.T, p *lab.Process) {
	t.Helper()
	if status := p.Terminate(20 * time.Second); status != 0 || strings.Contains(p.Output(), "forbidden") {
		t.Errorf("status %d; it said\n%s", status, p.Output())
	}
}
