package parent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// stateEvery is the least time between two writings of the state, ns.
	stateEvery = int64(time.Second)
	// stateMargin is added to the last sequence of our own that another process
	// wrote: the state is a second old at the most, but for writing it.
	stateMargin = 2 << 32
	// stateMax bounds a file, in bytes: an interface has 2 * 255 virtual
	// routers, each 137 lines of at most 77 bytes.
	stateMax = 6 << 20
)

// stateFile keeps, for one interface, the last sequences of HMAC with
// anti_replay = "monotonic", a line each: family, VRID, source and key, sequence.
// Our own have the source "-", and the forms of checksums that were learned
// 0.0.0.0, ipc.FormSource.
func stateFile(dir, iface string) string { return filepath.Join(dir, "replay."+iface) }

// keepsState says whether a slot has a state to keep; must, whether it cannot
// do without.
func (s *slot) keepsState() (keeps, must bool) {
	must = s != nil && s.told.Auth == ipc.AuthHMAC && s.told.HMAC.Monotonic
	return must || s != nil && s.told.Checksum == ipc.ChecksumAuto, must
}

// lasting are the marks that are kept in a file: all, or that of the form.
func (m marks) lasting(all bool) marks {
	kept := maps.Clone(m)
	maps.DeleteFunc(kept, func(who marker, _ uint64) bool { return !all && who.source != ipc.FormSource })
	return kept
}

// readState reads what this daemon and earlier ones wrote of the interfaces
// of slots that keep a state. With an error the locks that it has taken are its
// caller's to release.
func (d *daemon) readState(next []*slot) (all map[vrID]marks, err error) {
	all = make(map[vrID]marks)
	needed := make(map[string]bool) // the interfaces, and whether they cannot do without
	for _, s := range next {
		if keeps, must := s.keepsState(); keeps {
			needed[d.links[s.link].name] = must || needed[d.links[s.link].name]
		}
	}
	for iface, must := range needed {
		fresh := d.stateLocks[iface] == nil
		read, err := d.openState(iface)
		switch {
		case err != nil && must:
			return nil, err
		case err != nil:
			d.log.Info("learned checksums are not kept", "link", iface, "error", err)
		}
		for id, m := range read {
			for who := range m {
				if fresh && !who.source.IsValid() {
					m[who] += stateMargin
				}
			}
			all[id] = m
		}
	}
	return all, nil
}

// openState makes the state of an interface ours, and reads it.
func (d *daemon) openState(iface string) (map[vrID]marks, error) {
	fresh := d.stateLocks[iface] == nil
	if fresh {
		if err := d.lockState(iface); err != nil {
			return nil, err
		}
	}
	read, err := readStateFile(d.stateDir, iface)
	if err != nil && fresh {
		d.unlockState(iface)
	}
	return read, err
}

// lockState makes the state of an interface ours: a daemon in another network
// namespace may have an interface of the same name, and the same directory.
func (d *daemon) lockState(iface string) error {
	dir, err := makeOwnDirectory(d.stateDir, d.uid)
	if err != nil {
		return fmt.Errorf("%w: state_dir: %w", ErrConfiguration, err)
	}
	f, err := takeLock(filepath.Join(dir, "lock."+iface))
	if errors.Is(err, ErrLocked) {
		return fmt.Errorf("state_dir: %s: another rvrrpd, in another network namespace, keeps the state of its %s there: give each a state_dir of its own", d.stateDir, iface)
	} else if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	d.stateDir, d.stateLocks[iface] = dir, f
	return nil
}

func (d *daemon) unlockState(iface string) {
	if f := d.stateLocks[iface]; f != nil {
		f.Close()
		delete(d.stateLocks, iface)
	}
}

// readStateFile reads one file, all of it or nothing.
func readStateFile(dir, iface string) (map[vrID]marks, error) {
	path := stateFile(dir, iface)
	f, err := openOurs(path, stateMax)
	var all map[vrID]marks
	if err == nil && f != nil {
		defer f.Close()
		all, err = parseState(io.LimitReader(f, stateMax), iface)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to begin anew, which lets old advertisements count once more", path, err)
	}
	return all, nil
}

func parseState(r io.Reader, iface string) (map[vrID]marks, error) {
	all := make(map[vrID]marks)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		id := vrID{iface: iface}
		var who marker
		var source, rest string
		var sequence uint64
		n, _ := fmt.Sscanf(lines.Text()+" .", "%d %d %s %d %s", &id.family, &id.vrid, &source, &sequence, &rest)
		err := who.UnmarshalText([]byte(source))
		if n != 5 || rest != "." || err != nil || id.family != ipc.IPv4 && id.family != ipc.IPv6 || id.vrid == 0 {
			return nil, fmt.Errorf("%q is not a line of state", lines.Text())
		}
		if all[id] == nil {
			all[id] = make(marks)
		}
		all[id].set(who, sequence)
	}
	return all, lines.Err()
}

// snapshot is the state of the interfaces whose state is ours, by file: of
// the virtual routers there are, and of those that may come back.
func (d *daemon) snapshot() map[string][]byte {
	all, lines := make(map[vrID]marks), make(map[string][]string)
	for id, b := range d.bygone {
		all[id] = b.marks.lasting(b.forGood)
	}
	for _, s := range d.slots {
		if keeps, must := s.keepsState(); keeps {
			m := s.marks.lasting(must)
			m.raise(all[d.idOf(s)])
			all[d.idOf(s)] = m
		}
	}
	for id, m := range all {
		for who, sequence := range m {
			name, _ := who.MarshalText()
			lines[id.iface] = append(lines[id.iface], fmt.Sprintf("%d %d %s %d\n", id.family, id.vrid, name, sequence))
		}
	}
	files := make(map[string][]byte)
	for iface := range d.stateLocks {
		slices.Sort(lines[iface])
		files[stateFile(d.stateDir, iface)] = []byte(strings.Join(lines[iface], ""))
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
				if err := ReplaceFile(path, text, 0o600); err != nil {
					log.Error("state not written", "error", err)
				}
			}
		}
	}()
	return in, ended
}

// ReplaceFile writes a file so that it is there as a whole, or as it was, whatever
// happens meanwhile. What a daemon that was killed has begun to write is removed.
// The umask is taken off the mode. A file called new.NAME beside it is ours.
func ReplaceFile(path string, text []byte, mode os.FileMode) error {
	dir, name := filepath.Split(path)
	made := filepath.Join(dir, "new."+name)
	os.Remove(made)
	f, err := os.OpenFile(made, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer os.Remove(made) // where it has not got its name
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(made, path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// standAfter is how long after a transition what is there is written down, ns: a takeover of many
// is over then.
const standAfter = int64(100 * time.Millisecond)

// changedSoon has what is there written down in a moment, which another transition does not put
// off.
func (d *daemon) changedSoon() {
	if !d.stateDirty {
		d.stateNext = max(d.stateNext, d.now+standAfter)
	}
	d.stateDirty = true
}

// saveState hands over the state when it has changed and it is time. Where a service manager
// starts another daemon should this one be killed, what is there stands written for that, too.
func (d *daemon) saveState() {
	if !d.stateDirty || d.now < d.stateNext {
		return
	}
	if d.manager.watches() && d.silences && d.child != nil && d.old == nil {
		if err := d.writeDown(); err != nil {
			d.log.Error("state not written", "error", err)
		}
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
	for iface := range d.stateLocks {
		d.unlockState(iface)
	}
}
