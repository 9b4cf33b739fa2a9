//go:build lab

package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// quickstart walks through docs/quickstart.md: the commands of the page, where
// it says, and what it says of their output.
type quickstart struct {
	*testing.T
	l      *lab.Lab
	nodes  map[string]*lab.Node
	confs  map[string]string // directories in the place of /etc/rvrrpd
	units  map[string]*lab.Process
	checks int
}

// page is a fenced block of the page: its language and role, and its text.
var page = regexp.MustCompile("(?ms)^```(sh|text) ?(both|a|b|host)?\n(.*?)^```$")

// TestQuickstart: the commands of docs/quickstart.md do what the page says,
// from a firewall that drops VRRP to a failover and back.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	q := &quickstart{T: t, l: l, nodes: map[string]*lab.Node{"a": l.R1, "b": l.R2, "host": l.Client},
		confs: map[string]string{"a": t.TempDir(), "b": t.TempDir()}, units: map[string]*lab.Process{}}
	for _, n := range []*lab.Node{l.R1, l.R2} {
		n.Nft("add table inet filter", "add chain inet filter input { type filter hook input priority 0 ; policy drop ; }", "add rule inet filter input ip protocol icmp accept")
	}
	text, err := os.ReadFile(filepath.Join(lab.Root(), "docs/quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := page.FindAllStringSubmatch(string(text), -1)
	for i, b := range blocks {
		if b[1] != "sh" || b[2] == "" {
			continue
		}
		want := ""
		if i+1 < len(blocks) && blocks[i+1][1] == "text" {
			want = blocks[i+1][3]
		}
		roles := []string{b[2]}
		if b[2] == "both" {
			roles = []string{"a", "b"}
		}
		for _, role := range roles {
			q.do(role, b[3], want)
		}
	}
	if q.checks < 20 {
		t.Errorf("only %d lines of output are checked", q.checks)
	}
	for _, p := range q.units {
		if status := p.Terminate(5 * time.Second); status != 0 {
			t.Errorf("status %d; it said\n%s", status, p.Output())
		}
	}
}

// do runs the commands of a block until their output is as the page says.
func (q *quickstart) do(role, commands, want string) {
	q.Helper()
	commands = strings.ReplaceAll(commands, "192.0.2.", "10.9.0.")
	if unit, is := strings.CutPrefix(strings.TrimSpace(commands), "systemctl "); is {
		q.systemctl(role, unit)
		return
	}
	var lines []*regexp.Regexp
	for line := range strings.Lines(strings.ReplaceAll(want, "192.0.2.", "10.9.0.")) {
		words := regexp.QuoteMeta(strings.Join(strings.Fields(line), " "))
		lines = append(lines, regexp.MustCompile(strings.ReplaceAll(words, "…", ".*")))
	}
	q.checks += len(lines)
	var said string
	if !lab.Until(15*time.Second, func() bool {
		said = q.run(role, commands)
		for _, line := range lines {
			if !line.MatchString(said) {
				return false
			}
		}
		return true
	}) {
		q.Fatalf("on %s:\n%s\nsays\n%s\nand not\n%s", role, commands, said, want)
	}
}

// run runs commands in a shell on a node; its output has single spaces.
func (q *quickstart) run(role, commands string) string {
	q.Helper()
	if p := q.units[role]; strings.HasPrefix(commands, "journalctl ") && p != nil {
		return p.Output()
	}
	if rest, is := strings.CutPrefix(commands, "ping -c 1 "+lab.VIP.String()+"\n"); is {
		return q.ping() + q.run(role, rest)
	}
	commands = strings.ReplaceAll(commands, "/etc/rvrrpd/", q.confs[role]+"/")
	cmd := exec.Command("ip", "netns", "exec", q.nodes[role].Namespace, "sh", "-ec", "umask 077\n"+commands)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(lab.Binary("rvrrpd"))+":"+os.Getenv("PATH"), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		q.Fatalf("on %s:\n%s\n%v\n%s", role, commands, err, out)
	}
	var squeezed []string
	for line := range strings.Lines(string(out)) {
		squeezed = append(squeezed, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(squeezed, "\n")
}

// ping asks the virtual address from the host, as ping(8) does, which not every
// machine has.
func (q *quickstart) ping() string {
	p := q.l.Ping(lab.VIP, nil)
	defer p.Stop()
	if !lab.Until(5*time.Second, p.Answering) {
		return "0 received\n"
	}
	return "1 received\n"
}

// systemctl does what the unit does, without systemd: TestSystemd has one.
func (q *quickstart) systemctl(role, what string) {
	q.Helper()
	switch what {
	case "enable --now rvrrpd.service", "start rvrrpd.service":
		q.units[role] = q.nodes[role].Start(lab.Binary("rvrrpd"), "-m1", "-c", filepath.Join(q.confs[role], "rvrrpd.conf"))
	case "stop rvrrpd.service":
		q.units[role].Signal(syscall.SIGTERM)
		if status := q.units[role].AwaitExit(5 * time.Second); status != 0 {
			q.Errorf("status %d; it said\n%s", status, q.units[role].Output())
		}
		delete(q.units, role)
	default:
		q.Fatalf("systemctl %s: not done here", what)
	}
}
