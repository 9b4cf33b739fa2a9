package sandbox_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

// roleVariable makes the test program another one for a while.
const roleVariable = "SANDBOX_TEST_ROLE"

// landlocked is what a process finds out about its own Landlock.
type landlocked struct {
	ABI   int
	Tried map[string]string
}

// TestLandlock: Landlock by itself, without the filter in front of it, refuses
// what its version knows of.
func TestLandlock(t *testing.T) {
	t.Parallel()
	if os.Getenv(roleVariable) == "landlock" {
		tryLandlock(t)
		return
	}
	// Abstract: no file that would be denied for its path.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: "@rvrrpd-landlock-test-" + t.TempDir(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLandlock$")
	cmd.Env = append(os.Environ(), roleVariable+"=landlock", "TEST_SOCKET="+l.Addr().String(), "TEST_FILE="+file)
	cmd.ExtraFiles = []*os.File{w}
	out, err := cmd.CombinedOutput()
	w.Close()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got landlocked
	if err := json.NewDecoder(r).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.ABI < 1 {
		t.Errorf("ABI %d", got.ABI)
	}
	want := map[string]string{
		"read a file": "EACCES", "write a file": "EACCES", "list a directory": "EACCES", "make a directory": "EACCES",
		"remove a file": "EACCES", "execute": "EACCES",
	}
	if got.ABI >= 4 {
		want["connect TCP"], want["bind TCP"] = "EACCES", "EACCES"
	}
	if got.ABI >= 6 {
		want["signal the parent"], want["connect an abstract socket"] = "EPERM", "EPERM"
	}
	for name := range got.Tried {
		if _, known := want[name]; !known {
			delete(got.Tried, name)
		}
	}
	if diff := cmp.Diff(want, got.Tried); diff != "" {
		t.Errorf("Landlock ABI %d (-want +got):\n%s", got.ABI, diff)
	}
}

// tryLandlock denies everything to this process and tries it.
func tryLandlock(t *testing.T) {
	file, socket := os.Getenv("TEST_FILE"), os.Getenv("TEST_SOCKET")
	out := os.NewFile(3, "result")
	stream := func(family int) int {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	abi, err := sandbox.DenyAll()
	if err != nil {
		t.Fatal(err)
	}
	local := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	result := landlocked{ABI: abi, Tried: map[string]string{}}
	for name, try := range map[string]func() error{
		"read a file":      func() error { _, err := os.ReadFile(file); return err },
		"write a file":     func() error { return os.WriteFile(file, nil, 0o600) },
		"list a directory": func() error { _, err := os.ReadDir("/"); return err },
		"make a directory": func() error { return os.Mkdir(file+"-directory", 0o700) },
		"remove a file":    func() error { return unix.Unlink(file) },
		"execute":          func() error { return unix.Exec("/proc/self/exe", []string{"again"}, nil) },
		"connect TCP": func() error {
			return unix.Connect(stream(unix.AF_INET), &unix.SockaddrInet4{Addr: local.Addr, Port: 9})
		},
		"bind TCP":                   func() error { return unix.Bind(stream(unix.AF_INET), local) },
		"signal the parent":          func() error { return unix.Kill(os.Getppid(), 0) },
		"connect an abstract socket": func() error { return unix.Connect(stream(unix.AF_UNIX), &unix.SockaddrUnix{Name: socket}) },
	} {
		result.Tried[name] = errorName(try())
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		t.Fatal(err)
	}
}

func errorName(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	if err != nil {
		return err.Error()
	}
	return "allowed"
}
