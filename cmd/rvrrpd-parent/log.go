package main

import (
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/parent"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"golang.org/x/sys/unix"
)

// inJournal says whether a file is what the service manager has connected to
// its journal: JOURNAL_STREAM has its device and inode, as systemd.exec(5)
// says.
func inJournal(f *os.File) bool {
	device, inode, found := strings.Cut(os.Getenv("JOURNAL_STREAM"), ":")
	var st unix.Stat_t
	if !found || unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return device == strconv.FormatUint(st.Dev, 10) && inode == strconv.FormatUint(st.Ino, 10)
}

// logFile is a log that can be opened anew, and elsewhere. The keeper writes it.
type logFile struct {
	lines *logger.Logger
	name  string
	mutex sync.Mutex
	path  string
	file  *os.File
}

func openLog(lines *logger.Logger, name string, least slog.Level, path string) (*logFile, error) {
	l := &logFile{lines: lines, name: name}
	if err := l.open(path); err != nil {
		return nil, err
	}
	lines.Sink(keeping.Sink{Name: name, Least: least}, int(l.file.Fd()))
	return l, nil
}

// open opens the file, to be written from now on.
func (l *logFile) open(path string) error {
	f, err := parent.OpenOwn(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err == nil {
		l.path, l.file = path, f
	}
	return named(l.name, err)
}

// follow opens the file anew, or goes on in another, unless that is left for a restart; the
// old one is written until then, and still if there is an error.
func (l *logFile) follow(path string, left []string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if path == l.path || slices.ContainsFunc(left, func(change string) bool { return strings.HasPrefix(change, l.name+" ") }) {
		return
	}
	if path == "" {
		path = l.path
	}
	old := l.file
	if err := l.open(path); err != nil {
		log := slog.New(l.lines)
		log.Error("log files", "error", err)
		return
	}
	l.lines.Redirect(l.name, int(l.file.Fd()))
	old.Close()
}
