package main

import (
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"

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
	path  string
	file  *os.File
	asked chan func() // what is to be done with it, in order
}

func openLog(lines *logger.Logger, name string, least slog.Level, path string) (*logFile, error) {
	l := &logFile{lines: lines, name: name, path: path, asked: make(chan func(), 16)}
	f, err := parent.OpenOwn(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, named(name, err)
	}
	l.file = f
	lines.Sink(keeping.Sink{Name: name, Least: least}, int(f.Fd()))
	go func() {
		for do := range l.asked {
			do()
		}
	}()
	return l, nil
}

// ask has follow done beside the loop: opening a file may take as long as writing it. Who asks
// faster than files are opened is not heard.
func (l *logFile) ask(path string, left []string) {
	select {
	case l.asked <- func() { l.follow(path, left) }:
	default:
	}
}

// follow opens the file anew, or goes on in another, unless that is left for a restart; the
// old one is written until then, and still if there is an error.
func (l *logFile) follow(path string, left []string) {
	if path == l.path || slices.ContainsFunc(left, func(change string) bool { return strings.HasPrefix(change, l.name+" ") }) {
		return
	}
	if path == "" {
		path = l.path
	}
	f, err := parent.OpenOwn(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		log := slog.New(l.lines)
		log.Error("log files", "error", named(l.name, err))
		return
	}
	l.lines.Redirect(l.name, int(f.Fd()))
	l.file.Close()
	l.path, l.file = path, f
}
