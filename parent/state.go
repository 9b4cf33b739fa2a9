package parent

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// stateEvery is the least time between two writings of the state, ns.
	stateEvery = int64(time.Second)
	// stateMargin is added to the last sequence of our own when it is read: the
	// state is a second old at the most, but for writing it.
	stateMargin = 2 << 32
	stateMax    = 1 << 20
)

// stateFile keeps, for one interface, the last sequences of HMAC with
// anti_replay = "monotonic", a line each: family, VRID, source, sequence.
// Our own have the source "-".
func stateFile(dir, iface string) string { return filepath.Join(dir, "replay."+iface) }

// readState reads what an earlier daemon of the same interfaces wrote.
func (d *daemon) readState() error {
	for _, l := range d.links {
		if !l.keepsState() {
			continue
		}
		if err := os.MkdirAll(d.stateDir, 0o700); err != nil {
			return fmt.Errorf("state_dir: %w", err)
		}
		path := stateFile(d.stateDir, l.name)
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		err = l.parseState(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w; remove it to begin anew, which lets old advertisements count once more", path, err)
		}
	}
	return nil
}

// keepsState says whether any of the link's slots has a state to keep.
func (l *link) keepsState() bool {
	for _, s := range l.slots {
		if s.auth == ipc.AuthHMAC && s.hmac.Monotonic {
			return true
		}
	}
	return false
}

func (l *link) parseState(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 || st.Uid != 0 && int(st.Uid) != os.Geteuid() || st.Size > stateMax {
		return fmt.Errorf("mode %o, owner %d, %d bytes: must be a file that only root can write", st.Mode, st.Uid, st.Size)
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var family, vrid uint8
		var source string
		var sequence uint64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %s %d", &family, &vrid, &source, &sequence); err != nil {
			return fmt.Errorf("%q is not a line of state", lines.Text())
		}
		addr, err := netip.ParseAddr(source)
		if source == "-" {
			sequence += stateMargin
		} else if err != nil {
			return err
		}
		for _, s := range l.slots {
			if _, known := s.marks[addr]; !known && s.vrid == vrid && s.family == ipc.Family(family) && s.marks != nil && len(s.marks) < marksMax {
				s.marks[addr] = sequence
			}
		}
	}
	return nil
}

// snapshot is the state of the interfaces that keep any, by file.
func (d *daemon) snapshot() map[string][]byte {
	files := make(map[string][]byte)
	for _, l := range d.links {
		if !l.keepsState() {
			continue
		}
		path := stateFile(d.stateDir, l.name)
		b := bytes.NewBuffer(files[path])
		for _, s := range l.slots {
			for source, sequence := range s.marks {
				name := "-"
				if source.IsValid() {
					name = source.String()
				}
				fmt.Fprintf(b, "%d %d %s %d\n", s.family, s.vrid, name, sequence)
			}
		}
		files[path] = b.Bytes()
	}
	return files
}

// stateWriter writes snapshots beside the loop, for a disk may be slow; one
// that comes while another is written waits, and is replaced by the next.
func stateWriter(log *slog.Logger) (snapshots chan<- map[string][]byte, done <-chan struct{}) {
	in, ended := make(chan map[string][]byte, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for files := range in {
			for path, text := range files {
				if err := replaceFile(path, text); err != nil {
					log.Error("state not written", "error", err)
				}
			}
		}
	}()
	return in, ended
}

// replaceFile writes a file so that it is there as a whole, or as it was.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// saveState hands over the state when it has changed and it is time.
func (d *daemon) saveState() {
	if !d.stateDirty || d.now < d.stateNext {
		return
	}
	select {
	case d.states <- d.snapshot():
		d.stateDirty, d.stateNext = false, d.now+stateEvery
	default: // the disk is slow
		d.stateNext = d.now + stateEvery
	}
}

// closeState writes what has changed last, and waits for it.
func (d *daemon) closeState() {
	if d.stateDirty {
		d.states <- d.snapshot()
	}
	close(d.states)
	<-d.stateDone
}
