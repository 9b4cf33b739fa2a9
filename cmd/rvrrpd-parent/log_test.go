package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/parent/logger"
	"golang.org/x/sys/unix"
)

// TestInJournal: the file that JOURNAL_STREAM names is the journal, no other
// one, and nothing is without it. Not in parallel: the environment is shared.
func TestInJournal(t *testing.T) {
	dir := t.TempDir()
	journal, err1 := os.Create(filepath.Join(dir, "journal"))
	other, err2 := os.Create(filepath.Join(dir, "other"))
	info, err3 := journal.Stat()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	for _, tt := range []struct {
		stream string
		want   bool
	}{
		{fmt.Sprintf("%d:%d", st.Dev, st.Ino), true}, {fmt.Sprintf("%d:%d", st.Dev, st.Ino+1), false}, {fmt.Sprintf("%d:%d", st.Dev+1, st.Ino), false},
		{fmt.Sprint(st.Ino), false}, {"", false},
	} {
		t.Setenv("JOURNAL_STREAM", tt.stream)
		if inJournal(journal) != tt.want || inJournal(other) && tt.want {
			t.Errorf("JOURNAL_STREAM=%s: journal %v, other %v", tt.stream, inJournal(journal), inJournal(other))
		}
	}
}

// TestLockPID: the file is there as a whole, one daemon at a time has it, and
// that of a dead one is replaced, whoever has locked it: everybody can read it. Not
// in parallel: it has a run directory of its own.
func TestLockPID(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	t.Setenv("RUNTIME_DIRECTORY", run)
	path := filepath.Join(t.TempDir(), "pid")
	remove, err := lockPID(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockPID(path); err == nil || !strings.Contains(err.Error(), "runs already, process ") {
		t.Errorf("a second one: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Symlink(filepath.Dir(path), other); err != nil {
		t.Fatal(err)
	}
	if _, err := lockPID(filepath.Join(other, "pid")); err == nil || !strings.Contains(err.Error(), "runs already, process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("a second one, by another path: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("others cannot read it: %v, %v", info.Mode(), err)
	}
	remove()
	if err := os.WriteFile(path, []byte("4194304\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stranger, err := os.Open(path)
	if err := errors.Join(err, unix.Flock(int(stranger.Fd()), unix.LOCK_EX|unix.LOCK_NB)); err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if remove, err = lockPID(path); err != nil {
		t.Fatalf("that of a dead one, which somebody has locked: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("it says %q, %v", text, err)
	}
	remove()
	if err := os.WriteFile(path, []byte("root:x:0:0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lockPID(path); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("another file: %v", err)
	}
	os.Remove(path)
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	if _, err := lockPID(path); err == nil {
		t.Error("a symbolic link is followed")
	}
	os.Remove(path)
	for _, dir := range []string{filepath.Dir(path), run} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind in %s: %v, %v", dir, left, err)
		}
	}
	if err := os.Chmod(run, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := lockPID(path); err == nil || !strings.Contains(err.Error(), "root alone can write") {
		t.Errorf("with a run directory that all can write: %v", err)
	}
}

// TestLockOfBefore: a daemon of a release that locked the file of its process number
// itself is respected, and neither a stranger who has locked it nor another program
// is; and who ends removes no file that somebody else has put there since. Not in
// parallel: it has a run directory of its own.
func TestLockOfBefore(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	t.Setenv("RUNTIME_DIRECTORY", run)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pid")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, program            string
		uid                      uint32
		locked, deleted, refused bool
	}{
		{"an old daemon", "rvrrpd", 0, true, false, true},
		{"an old daemon whose program was replaced", "rvrrpd", 0, true, true, true},
		{"a number that another process has now", "sleep", 0, true, false, false},
		{"a dead daemon's number, which a stranger has now", "rvrrpd", 61234, true, false, false},
		{"nobody has locked it", "rvrrpd", 0, false, false, false},
	} {
		if tt.uid != 0 && os.Geteuid() != 0 {
			continue
		}
		at := filepath.Join(t.TempDir(), tt.program)
		if err := os.WriteFile(at, program, 0o755); err != nil {
			t.Fatal(err)
		}
		for above := filepath.Dir(at); above != os.TempDir() && above != "/"; above = filepath.Dir(above) {
			os.Chmod(above, 0o755)
		}
		cmd := exec.Command(at, "600")
		if tt.uid != 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.uid, Gid: tt.uid}}
		}
		if err := cmd.Start(); err != nil { // returns once it is that program
			t.Fatal(err)
		}
		if tt.deleted {
			os.Remove(at)
		}
		number := strconv.Itoa(cmd.Process.Pid)
		if err := os.WriteFile(path, []byte(number+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err == nil && tt.locked {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		}
		if err != nil {
			t.Fatal(err)
		}
		remove, err := lockPID(path)
		if refused := errors.Is(err, errRuns) && strings.Contains(err.Error(), "runs already, process "+number); refused != tt.refused || !refused && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if text, _ := os.ReadFile(path); tt.refused && string(text) != number+"\n" {
			t.Errorf("%s: the file is now %q", tt.name, text)
		}
		if remove != nil {
			remove()
			if _, err := os.Lstat(path); err == nil {
				t.Errorf("%s: the file is left behind", tt.name)
			}
		}
		f.Close()
		cmd.Process.Kill()
		cmd.Wait()
		os.Remove(path)
	}
	remove, err := lockPID(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("4194304\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	remove()
	if text, err := os.ReadFile(path); err != nil || string(text) != "4194304\n" {
		t.Errorf("another's file: %q, %v", text, err)
	}
	if left, err := os.ReadDir(run); err != nil || len(left) > 0 {
		t.Errorf("left behind in %s: %v, %v", run, left, err)
	}
}

// quiet is a log that nobody writes.
func quiet(t *testing.T) *logger.Logger {
	t.Helper()
	l, err := logger.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(io.Discard) })
	return l
}

// TestLogsOfOurs: neither a log nor the file of the process number is written
// where somebody else can put something in its place.
func TestLogsOfOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o777), os.Mkdir(filepath.Join(dir, "own"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "file"), filepath.Join(dir, "own", "file")} {
		if _, err := openLog(quiet(t), "main_log", slog.LevelInfo, path); err == nil || !strings.Contains(err.Error(), "accepted: a directory that root alone can write") {
			t.Errorf("log %s: %v", path, err)
		}
		if _, err := lockPID(path); err == nil || !strings.Contains(err.Error(), "pid: ") || !strings.Contains(err.Error(), "accepted: ") {
			t.Errorf("pid %s: %v", path, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(quiet(t), "main_log", slog.LevelInfo, filepath.Join(dir, "own", "log"))
	if err != nil {
		t.Fatal(err)
	}
	was := l.file
	if l.follow("/etc/rvrrpd.log", nil); l.file != was || l.path == "/etc/rvrrpd.log" {
		t.Errorf("moved to %s", l.path)
	}
	if l.follow(filepath.Join(dir, "own", "log"), nil); l.file != was {
		t.Error("opened anew where it was")
	}
	if l.follow(filepath.Join(dir, "own", "next"), []string{"main_log a -> b"}); l.file != was {
		t.Error("moved, though that is left for a restart")
	}
	if l.follow("", nil); l.file == was || l.path != filepath.Join(dir, "own", "log") {
		t.Error("not opened anew")
	}
	if l.follow(filepath.Join(dir, "own", "next"), nil); l.path != filepath.Join(dir, "own", "next") {
		t.Errorf("still in %s", l.path)
	}
}
