package parent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// manager is the service manager that has started us; -1 stands for none.
// Its socket is opened at the start, because later we could not.
type manager struct {
	fd       int
	watchdog int64 // ns within which it wants to hear of us, 0 for never
	fed      int64 // when it did
	status   string
}

// openManager follows sd_notify(3): NOTIFY_SOCKET is a path, or an abstract
// name behind "@".
func openManager() (*manager, error) {
	m := &manager{fd: -1}
	path := os.Getenv("NOTIFY_SOCKET")
	if !filepath.IsAbs(path) && (path == "" || path[0] != '@') {
		return m, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("service manager: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("service manager: %s: %w", path, err)
	}
	m.fd = fd
	pid := os.Getenv("WATCHDOG_PID")
	if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.watchdog = usec * int64(time.Microsecond)
	}
	return m, nil
}

// tell says something to the manager; what it has no time for is lost, and
// said again with the next change.
func (m *manager) tell(state string) {
	if m.watches() {
		_, _ = unix.SendmsgN(m.fd, []byte(state), nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	}
}

// watches says whether there is one.
func (m *manager) watches() bool { return m != nil && m.fd >= 0 }

func (m *manager) close() {
	if m.fd >= 0 {
		unix.Close(m.fd)
	}
}

// feed tells the manager that we make progress, as often as it wants to know.
func (d *daemon) feed() {
	if m := d.manager; m != nil && m.watchdog > 0 && d.now-m.fed >= m.watchdog/4 {
		m.fed = d.now
		m.tell("WATCHDOG=1")
	}
}

// tellStatus tells it how many virtual routers are Active.
func (d *daemon) tellStatus() {
	if status := fmt.Sprintf("STATUS=%d of %d virtual routers Active", len(d.active()), len(present(d.slots))); d.manager != nil && status != d.manager.status {
		d.manager.status = status
		d.manager.tell(status)
	}
}
