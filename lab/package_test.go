//go:build lab

package lab_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/lab"
)

// system is a Debian of its own, seen from a node.
type system struct {
	root string
	n    *lab.Node
}

// inside enters the system as an initramfs does, by pivot_root(2): with
// chroot(2) nobody inside could make user namespaces.
const inside = `set -e
mount --rbind "$0" "$0"
cd "$0"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
pivot_root . mnt
/bin/umount -l /mnt
exec "$@"`

// packageName is where our package lies in a system.
const packageName = "var/tmp/rvrrpd.deb"

// newSystem makes a Debian that has nothing but its essential packages, to be
// seen from a node, and finds our package.
func newSystem(t *testing.T, n *lab.Node) (s system, file string) {
	t.Helper()
	s = system{t.TempDir(), n}
	if out, err := exec.Command("tar", "-C", s.root, "-xf", filepath.Join(lab.Root(), "bin/clean-root.tar"), "--exclude=./dev/*").CombinedOutput(); err != nil {
		t.Fatalf("bin/clean-root.tar (make clean-root makes it): %v\n%s", err, out)
	}
	packages, err := filepath.Glob(filepath.Join(lab.Root(), "bin/rvrrpd_*.deb"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("packages %q (make deb makes one): %v", packages, err)
	}
	os.Remove(filepath.Join(s.root, "etc/resolv.conf"))
	return s, packages[0]
}

// add puts our package where dpkg finds it.
func (s system) add(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.root, packageName), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command in the system to its end.
func (s system) run(argv ...string) (status int, said string) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", s.n.Namespace, "unshare", "--mount", "sh", "-c", inside, s.root}, argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

func (s system) must(t *testing.T, argv ...string) string {
	t.Helper()
	status, said := s.run(argv...)
	if status != 0 {
		t.Fatalf("%s: status %d\n%s", strings.Join(argv, " "), status, said)
	}
	return said
}

// aside are files in which dpkg, useradd and umount keep their own books.
var aside = []string{"var/lib/dpkg", "var/log/dpkg.log", "var/cache", "var/log/alternatives.log", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",
	"etc/.pwd.lock", "run/mount"}

// files is what the system's root holds: each file's mode, owner and sum.
func (s system) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(s.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(s.root, path)
		for _, a := range aside {
			if name == a {
				if e.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		fact := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fact += fmt.Sprintf(" %x", sha256.Sum256(text))
		}
		all[name] = fact
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPackage: our package installs into a Debian that has nothing but its
// essential packages, brings its user, manual pages, completion and units,
// runs there from its own files, survives being installed again with its
// configuration as the operator left it, and goes without a trace.
func TestPackage(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	s, file := newSystem(t, l.R1)
	before := s.files(t)
	network := l.R1.AtRest()
	s.add(t, file)
	s.must(t, "dpkg", "-i", "/"+packageName)

	if said := s.must(t, "getent", "passwd", "rvrrpd"); !strings.HasSuffix(strings.TrimSpace(said), "/nologin") {
		t.Errorf("the user: %s", said)
	}
	if said := s.must(t, "rvrrpd", "--version"); !strings.HasPrefix(said, "rvrrpd ") {
		t.Errorf("--version: %s", said)
	}
	if said := s.must(t, "rvrrpd", "--check"); !strings.Contains(said, "192.0.2.254/24") {
		t.Errorf("the example: %s", said)
	}
	s.keepsSecrets(t)
	s.must(t, "sh", "-ec", `cd /usr/share/doc/rvrrpd; umask 077
		printf 'hex:%064d' 7 >/etc/rvrrpd/lan.key
		for f in examples/*.conf; do rvrrpd --check -c $f; done; rm /etc/rvrrpd/lan.key`)
	s.documented(t)
	s.must(t, "bash", "-ec", `source /usr/share/bash-completion/completions/rvrrpd
		COMP_WORDS=(rvrrpd --pl) COMP_CWORD=1; _rvrrpd rvrrpd --pl rvrrpd; test "${COMPREPLY[*]}" = --plan
		_rvrrpd rvrrpd "" -d; test "${COMPREPLY[*]}" = "0 1 2 3 5"`)
	for _, name := range []string{"usr/share/man/man8/rvrrpd.8.gz", "usr/share/man/man5/rvrrpd.conf.5.gz", "usr/share/doc/rvrrpd/copyright", "usr/lib/systemd/system/rvrrpd.service"} {
		if _, err := os.Stat(filepath.Join(s.root, name)); err != nil {
			t.Error(err)
		}
	}

	peer := l.R2.Run(lab.Router{Kind: lab.Keepalived, Priority: low})
	peer.AwaitActive(0)
	conf := "pid = \"/run/rvrrpd.pid\"\n" + lab.Router{Kind: lab.Rvrrpd, Priority: high}.Configuration("r1")
	if err := os.WriteFile(filepath.Join(s.root, "etc/rvrrpd/rvrrpd.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	mark := peer.Len()
	s.must(t, "rvrrpd", "-m2")
	pid := s.pid()
	t.Cleanup(func() {
		if pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	peer.AwaitLine(mark, 10*time.Second, "Entering BACKUP STATE")
	if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(lab.VIP) }) {
		t.Error("the address is not there")
	}
	daemons, _ := audited(t)
	if d := one(t, daemons, pid); !d.Pass || d.Profile != "root" {
		t.Errorf("the audit: pass %v as %s, broken: %q", d.Pass, d.Profile, failures(d))
	}
	for _, pid := range lab.Descendants(pid) {
		if st := lab.Status(pid); st["Name"] == "rvrrpd-netproc" && strings.Fields(st["Uid"])[0] == "0" {
			t.Errorf("the network process is root: %v", st["Uid"])
		}
	}

	mark = peer.Len()
	s.must(t, "dpkg", "-i", "/"+packageName)
	if text, err := os.ReadFile(filepath.Join(s.root, "etc/rvrrpd/rvrrpd.conf")); err != nil || string(text) != conf {
		t.Errorf("the configuration after another installation: %v\n%s", err, text)
	}
	if s.pid() != pid || peer.Said(mark, "Entering MASTER STATE") {
		t.Errorf("another installation ended the daemon; the peer said\n%s", peer.Output())
	}
	ended := lab.WatchExit(pid)
	syscall.Kill(pid, syscall.SIGTERM)
	if !ended(5 * time.Second) {
		t.Fatal("it does not end")
	}
	pid = 0
	peer.AwaitLine(mark, 5*time.Second, "Entering MASTER STATE")
	if diff := network.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind in the network (-before +after):\n%s", diff)
	}

	s.must(t, "dpkg", "--remove", "rvrrpd")
	if _, err := os.Stat(filepath.Join(s.root, "etc/rvrrpd/rvrrpd.conf")); err != nil {
		t.Errorf("removed, and not purged: %v", err)
	}
	s.must(t, "dpkg", "--purge", "rvrrpd")
	if err := os.Remove(filepath.Join(s.root, packageName)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, s.files(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// documented checks that the documents of the package lead to each other: each
// file that one names with a link is there.
func (s system) documented(t *testing.T) {
	t.Helper()
	links := 0
	err := filepath.WalkDir(filepath.Join(s.root, "usr/share/doc/rvrrpd"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
		return err
	})
	if err != nil || links < 20 {
		t.Errorf("%d links: %v", links, err)
	}
}

// keepsSecrets checks that the packaged configuration may have secrets in it,
// for both services, and that nobody else reads it.
func (s system) keepsSecrets(t *testing.T) {
	t.Helper()
	const file = "/etc/rvrrpd/rvrrpd.conf"
	if said := strings.TrimSpace(s.must(t, "stat", "-c", "%U:%G %a", file)); said != "root:rvrrpd 640" {
		t.Errorf("%s: %s", file, said)
	}
	path := filepath.Join(s.root, file)
	example, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secretive := lab.Router{Kind: lab.Rvrrpd, Priority: high}.Configuration("r1") + "auth_type = \"rfc2338-simple\"\nauth_secret = \"hushhush\"\n"
	if err := os.WriteFile(path, []byte(secretive), 0); err != nil {
		t.Fatal(err)
	}
	s.must(t, "rvrrpd", "--check")
	s.must(t, "setpriv", "--reuid", "rvrrpd", "--regid", "rvrrpd", "--clear-groups", "rvrrpd", "--check")
	if status, said := s.run("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "rvrrpd", "--check"); status == 0 || !strings.Contains(said, "permission denied") {
		t.Errorf("nobody reads it: %s", said)
	}
	s.must(t, "chgrp", "daemon", file)
	if status, said := s.run("rvrrpd", "--check"); status != 78 || !strings.Contains(said, "holds secrets and can be read by others (mode 0640)") {
		t.Errorf("with another group: status %d: %s", status, said)
	}
	s.must(t, "chgrp", "rvrrpd", file)
	if err := os.WriteFile(path, example, 0); err != nil {
		t.Fatal(err)
	}
}

// pid is what the daemon's pid file says, 0 without.
func (s system) pid() int {
	text, _ := os.ReadFile(filepath.Join(s.root, "run/rvrrpd.pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
