package reader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
	"github.com/rvrrpd/rvrrpd/conf/source"
	"github.com/rvrrpd/rvrrpd/conf/suffix"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
	"github.com/rvrrpd/rvrrpd/ipc/rights"
	"github.com/rvrrpd/rvrrpd/read"
	"golang.org/x/sys/unix"
)

// spawnerOf is a spawner whose readers do this, and end so, the first ones.
func spawnerOf(t testing.TB, do func(l *reading.Lane), ends ...unix.WaitStatus) *children.Spawner {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]) })
	go func() {
		defer unix.Close(pair[1])
		request, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*ipc.SpawnDescriptors))
		for {
			n, oobn, _, _, err := unix.Recvmsg(pair[1], request, oob, unix.MSG_CMSG_CLOEXEC)
			if err != nil || n == 0 {
				return
			}
			if fds, _ := rights.Of(oob[:oobn]); len(fds) > 0 {
				for _, fd := range []int{fds[0], fds[2], fds[3]} {
					unix.Close(fd)
				}
				go func() {
					control := ipc.FromFD(fds[1])
					do(reading.Over(control, 0))
					control.Close()
				}()
			}
			answer := append([]byte{request[2]}, make([]byte, 8)...)
			if request[0] == ipc.SpawnEnd && len(ends) > 0 {
				binary.NativeEndian.PutUint32(answer[1:], uint32(ends[0]))
				ends = ends[1:]
			}
			unix.Write(pair[1], answer)
		}
	}()
	return children.Over(pair[0], map[ipc.Program]int{ipc.ReaderProgram: 0})
}

// honest is what rvrrpd-read does.
func honest(l *reading.Lane) { _ = read.Run(l) }

// write writes a file that only we can read.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const vrouter = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\n"

// TestLoad: what a reader tells is what there is in the file, secrets and warnings
// included.
func TestLoad(t *testing.T) {
	t.Parallel()
	key := write(t, "key", strings.Repeat("k", 40)+"\n")
	var many strings.Builder
	for i := range 250 {
		fmt.Fprintf(&many, "[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\niftype = \"macvlan\"\nvip = [", i+1)
		for j := range 40 {
			fmt.Fprintf(&many, "\"2001:db8:%x::%x/64\",", i, j+1)
		}
		many.WriteString("]\n")
	}
	for _, tt := range []struct{ name, text string }{
		{"least.conf", vrouter},
		{"routes and a warning.conf", "[[protocols.static]]\nroute = \"10.0.0.0/8\"\nnh = \"192.0.2.7\"\nmetric = 3\n[[protocols.static]]\nroute = \"2001:db8::/32\"\nnh = \"fe80::1\"\n" + vrouter + "rfc3768 = false\n"},
		{"object.json", `{"debug": 3, "vrouter": [{"group": 7, "interface": "eth0", "vip": ["fe80::7", "2001:db8::7/64"], "timers": {"advert": 0.25}}]}`},
		{"secrets.conf", vrouter + "auth_type = \"rfc2338-simple\"\nauth_secret = \"hunter2\"\n" + strings.Replace(vrouter, "7", "8", 1) +
			"vip = \"192.0.2.2\"\n"},
		{"keys.conf", vrouter + "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 2\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"file:" + key +
			"\"\n[[vrouter.hmac.key]]\nid = 2\nvalue = \"" + strings.Repeat("7", 64) + "\"\n"},
		{"many.conf", many.String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := tt.text
			if tt.name == "secrets.conf" {
				text = strings.Replace(text, "vip = \"192.0.2.1\"\nvip", "vip", 1)
			}
			path := write(t, tt.name, text)
			format := suffix.Format(path, conf.TOML)
			want, err := source.Load(path, format)
			if err != nil {
				t.Fatal(err)
			}
			s := New(spawnerOf(t, honest), path, format, false)
			for range 2 {
				got, later, err := s.Load()
				if err != nil || len(later) > 0 {
					t.Fatalf("%v, %q", err, later)
				}
				for i, secret := range got.Secrets() {
					if !bytes.Equal(*secret, *want.Secrets()[i]) {
						t.Errorf("secret %d is %q", i, *secret)
					}
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%+v, not %+v", got, want)
				}
			}
		})
	}
}

// TestLater: what needs a restart is told after the first time; in the foreground nothing of what
// matters to the daemon mode alone.
func TestLater(t *testing.T) {
	t.Parallel()
	for daemon, want := range map[bool][]string{
		true:  {`main_log = "/var/log/a" -> "/srv/b"`, `state_dir = "/var/lib/a" -> "/var/lib/b"`},
		false: {`state_dir = "/var/lib/a" -> "/var/lib/b"`},
	} {
		path := write(t, "rvrrpd.conf", "main_log = \"/var/log/a\"\nstate_dir = \"/var/lib/a\"\n"+vrouter)
		s := New(spawnerOf(t, honest), path, conf.TOML, daemon)
		if _, later, err := s.Load(); err != nil || later != nil {
			t.Fatal(later, err)
		}
		if err := os.WriteFile(path, []byte("main_log = \"/srv/b\"\nstate_dir = \"/var/lib/b\"\n"+vrouter), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, later, err := s.Load(); err != nil || !reflect.DeepEqual(later, want) {
				t.Fatalf("daemon mode %t: %q, %v; want %q", daemon, later, err, want)
			}
		}
	}
}

// TestRefused: what is wrong with a configuration is told in the words of what read it.
func TestRefused(t *testing.T) {
	t.Parallel()
	fifo, open := filepath.Join(t.TempDir(), "fifo"), write(t, "open", vrouter)
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.Chmod(open, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		write(t, "bad.conf", "debug = 9\nfoo = 1\n"+vrouter+"priority = 0\n"),
		write(t, "long.conf", strings.Repeat("#", 1<<20)+"\n"),
		write(t, "none.conf", vrouter+"auth_type = \"rfc2338-simple\"\nauth_secret = \"file:/nonexistent/key\"\n"),
		write(t, "credential.conf", vrouter+"auth_type = \"rfc2338-simple\"\nauth_secret = \"credential:key\"\n"),
		filepath.Join(fifo, "none"), "/nonexistent", t.TempDir(), fifo, open, "/dev/null", "/dev/zero",
	} {
		_, want := source.Load(path, conf.TOML)
		c, _, err := New(spawnerOf(t, honest), path, conf.TOML, false).Load()
		if want == nil || c != nil || !errors.Is(err, ErrRefused) || err.Error() != want.Error() {
			t.Errorf("%s: %v, not %v", path, err, want)
		}
	}
}

// TestShortened: more errors than a message has room for are cut at the end of a line.
func TestShortened(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&text, "k%d = 1\n", i)
	}
	_, _, err := New(spawnerOf(t, honest), write(t, "bad.conf", text.String()), conf.TOML, false).Load()
	lines := strings.Split(fmt.Sprint(err), "\n")
	if !errors.Is(err, ErrRefused) || len(lines) < 1000 || lines[len(lines)-1] != "and more" || !strings.Contains(lines[len(lines)-2], "accepted: ") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestRefusal: a file that may not be read is told apart.
func TestRefusal(t *testing.T) {
	t.Parallel()
	if err := error(refusal{"x", fs.ErrPermission}); !errors.Is(err, ErrRefused) || !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	if err := error(refusal{"x", nil}); !errors.Is(err, ErrRefused) || errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// TestStruck: a signal that was for all and has ended a reader at once costs no more than
// another one; any other end does.
func TestStruck(t *testing.T) {
	t.Parallel()
	path := write(t, "rvrrpd.conf", vrouter)
	for _, tt := range []struct {
		ends []unix.WaitStatus
		want string
	}{
		{slices.Repeat([]unix.WaitStatus{2 << 8}, 4), "<nil>"},
		{slices.Repeat([]unix.WaitStatus{2 << 8}, 5), "reader: ended: exit status 2"},
		{[]unix.WaitStatus{unix.WaitStatus(unix.SIGSYS)}, "reader: ended: SIGSYS"},
		{[]unix.WaitStatus{unix.WaitStatus(unix.SIGKILL)}, "reader: ended: SIGKILL"},
		{[]unix.WaitStatus{70 << 8}, "reader: ended: exit status 70"},
	} {
		var tries atomic.Int32
		do := func(l *reading.Lane) {
			if int(tries.Add(1)) > len(tt.ends) {
				honest(l)
			}
		}
		if _, _, err := New(spawnerOf(t, do, tt.ends...), path, conf.TOML, false).Load(); fmt.Sprint(err) != tt.want {
			t.Errorf("%v: %v", tt.ends, err)
		}
	}
}

// TestReadFile: what is no regular file is not opened.
func TestReadFile(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]reading.Answer{
		fifo:           {Attributes: file.Attributes{Mode: fs.ModeNamedPipe | 0o600}},
		"/nonexistent": {Errno: syscall.ENOENT},
		"/dev/zero":    {Attributes: file.Attributes{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}},
	} {
		if data, got, _ := readFile(path); len(data) > 0 || got != want {
			t.Errorf("%s: %+v, %d bytes; want %+v", path, got, len(data), want)
		}
	}
	long := write(t, "long", strings.Repeat("x", 2<<20))
	if data, a, err := readFile(long); len(data) != reading.MaxFile || a.Size != 2<<20 || !a.Follows || err != nil {
		t.Errorf("%d bytes, %+v, %v", len(data), a, err)
	}
}
