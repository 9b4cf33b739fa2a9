//go:build lab

package lab_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// container is a root directory made as packaging/container/Dockerfile says.
type container struct {
	root       string
	entrypoint []string
	engine     string // the program that runs it
}

func newContainer(t *testing.T) (c container) {
	t.Helper()
	c.root = t.TempDir()
	c.engine = filepath.Join(t.TempDir(), "container")
	build := exec.Command("go", "build", "-o", c.engine, "./lab/container")
	build.Dir, build.Env = lab.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(lab.Root(), "packaging/container/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "", "#":
		case "FROM":
			if rest != "scratch" {
				t.Fatalf("FROM %s: not an empty root", rest)
			}
		case "COPY":
			words := strings.Fields(rest)
			last := len(words) - 1
			to := filepath.Join(c.root, words[last])
			if strings.HasSuffix(words[last], "/") {
				to += "/"
			}
			err := os.MkdirAll(filepath.Dir(to), 0o755)
			for _, from := range words[:last] {
				// By another process: see installation.
				err = errors.Join(err, exec.Command("cp", filepath.Join(lab.Root(), from), to).Run())
			}
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &c.entrypoint); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		default:
			t.Fatalf("this test does not know how to %s", instruction)
		}
	}
	return c
}

// start runs it on a node with a configuration.
func (c container) start(t *testing.T, n *lab.Node, capabilities, profile, text string) *lab.Process {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.root, "etc/rvrrpd/rvrrpd.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return n.Start(append([]string{c.engine, c.root, capabilities, profile}, c.entrypoint...)...)
}

// TestContainer: the image of docs/containers.md runs with the capabilities and
// the profile that this page asks for; with others it says what is missing.
func TestContainer(t *testing.T) {
	t.Parallel()
	const (
		network = "12,13"                                // NET_ADMIN, NET_RAW
		asked   = network + ",6,7"                       // and SETGID, SETUID
		dockers = "0,1,3,4,5,6,7,8,10,12,13,18,27,29,31" // its default set, and NET_ADMIN
	)
	for _, tt := range []struct {
		name, capabilities, profile, top string
		uid                              string // of the network process
		says                             string // or what is wrong
	}{
		{"as asked for", asked, "unconfined", "", "65534", ""},
		{"with Docker's own capabilities", dockers, "unconfined", "", "65534", ""},
		{"a user by number", asked, "unconfined", "user = \"61000\"\n", "61000", ""},
		{"a user and a group by number", asked, "unconfined", "user = \"61000:61001\"\n", "61000", ""},
		{"a user by name", asked, "unconfined", "user = \"rvrrpd\"\n", "", `user = "rvrrpd": no such user here; accepted: .* numbers`},
		{"without SETUID", network, "unconfined", "", "", `capabilities: CAP_SETUID and CAP_SETGID missing; root needs them to start the network process as user id 65534`},
		{"without NET_ADMIN", "13,6,7", "unconfined", "", "", `capabilities: CAP_NET_ADMIN missing; start the daemon as root, or with`},
		{"behind Docker's profile", asked, "default", "", "", `start rvrrpd-read: operation not permitted: it takes namespaces of its own, which a container's seccomp profile`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			before := l.R1.Snapshot()
			c := newContainer(t)
			p := c.start(t, l.R1, tt.capabilities, tt.profile, tt.top+auditConfiguration)
			if tt.says != "" {
				if status := p.AwaitExit(10 * time.Second); status != 1 {
					t.Errorf("status %d; it said\n%s", status, p.Output())
				}
				p.AwaitLine(0, time.Second, "(msg=ended|^rvrrpd: ).*"+tt.says)
				if strings.Contains(p.Output(), "connection reset") || len(linesOf(p, "level=ERROR"))+len(linesOf(p, "rvrrpd: ")) != 1 {
					t.Errorf("more than what is wrong:\n%s", p.Output())
				}
			} else {
				p.AwaitLine(0, 10*time.Second, "backup->active")
				children := lab.Children(p.PID)
				if len(children) != 1 {
					t.Fatalf("network processes %v; it said\n%s", children, p.Output())
				}
				if uid := strings.Fields(lab.Status(children[0])["Uid"])[0]; uid != tt.uid {
					t.Errorf("the network process is user %s, want %s", uid, tt.uid)
				}
				if status := p.Terminate(10 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, p.Output())
				}
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}
