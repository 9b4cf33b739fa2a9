package parent

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// reconsider looks at an interface whose addresses are aside: whether they are
// still to be.
func (d *daemon) reconsider(l *link) error {
	if err := d.moored(&l.wire); err != nil || l.displaced == nil || l.index == 0 || d.now < l.displaced.retry {
		return err
	}
	return d.bringBack(&l.wire, nil)
}

// recordMax bounds a lock's file, in bytes: a few thousand addresses.
const recordMax = 1 << 20

// without is what a lock's file says: what its interface is without.
type without struct {
	mac       net.HardwareAddr
	settings  map[int][]setting // by the number of the interface
	displaced *displaced
}

// recorded reads a lock's file.
func recorded(f *os.File) (without, error) {
	_, err := f.Seek(0, 0)
	return parseRecord(io.LimitReader(f, recordMax)), err
}

// parseRecord passes over what it does not understand, and over addresses of
// another interface than that of the first.
func parseRecord(r io.Reader) without {
	w := without{settings: make(map[int][]setting), displaced: &displaced{}}
	a, of := w.displaced, 0
	for in := bufio.NewScanner(r); in.Scan(); {
		kind, text, _ := strings.Cut(in.Text(), " ")
		switch kind + " " {
		case macLine:
			if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
				w.mac = mac
			}
		case settingLine:
			var index int
			var name, old string
			if n, _ := fmt.Sscanf(text, "%d %s %s", &index, &name, &old); n == 3 {
				w.settings[index] = append(w.settings[index], remembered(hearSettings, "", name, old)...)
			}
		case addressLine:
			m, err := hex.DecodeString(text)
			info, bad := facts.ParseAddress(m)
			if err != nil || bad != nil || !info.Prefix.IsValid() || !info.Prefix.Addr().Is4() || of != 0 && info.Index != of {
				continue
			}
			of, a.addrs, a.prefixes = info.Index, append(a.addrs, m), append(a.prefixes, info.Prefix)
		}
	}
	if len(a.prefixes) > 0 {
		a.primary = a.prefixes[0].Addr()
	}
	return w
}

// repay gives interfaces back what a daemon that was killed has left them
// without, as the lock's files tell. What is in the place of their addresses has
// been swept.
func (d *daemon) repay(infos []facts.Link, addrs []facts.Address, swept func(string) bool) error {
	paths, err := filepath.Glob(d.lockFile("*"))
	errs := []error{err}
	for _, path := range paths {
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".lock"), ".")
		f := d.locks[name]
		if f == nil && swept(name) {
			f = d.lockLeft(path, name)
		}
		if f == nil || !swept(name) {
			continue
		}
		errs = append(errs, d.repayOne(infos, addrs, name, f))
		if d.locks[name] == nil {
			unlock(f)
		}
	}
	return errors.Join(errs...)
}

func (d *daemon) repayOne(infos []facts.Link, addrs []facts.Address, name string, f *os.File) error {
	w, err := recorded(f)
	for _, i := range infos { // whatever its name is now
		for _, s := range w.settings[i.Index] {
			s.iface = i.Name
			err = errors.Join(err, restoreSettings([]setting{s}))
		}
	}
	if err == nil {
		err = d.repayMAC(infos, name, w.mac)
	}
	if err != nil {
		return err
	}
	if err = d.repayAddresses(addrs, name, w.displaced); err == nil {
		return f.Truncate(0)
	}
	d.log.Error("an address of the interface cannot be put back", "link", name, "error", err)
	for _, l := range d.links { // it is tried again
		if l.name == name && l.family == ipc.IPv4 {
			d.owe(&l.wire, w.displaced)
		}
	}
	return nil
}

func (d *daemon) repayMAC(infos []facts.Link, name string, mac net.HardwareAddr) error {
	i := slices.IndexFunc(infos, func(i facts.Link) bool { return i.Name == name && isVirtualMAC(i.MAC) })
	if mac == nil || i < 0 {
		return nil
	}
	d.log.Warn("sweeping a hardware address left behind", "link", name, "mac", infos[i].MAC)
	return d.returnMAC(infos[i].Index, mac)
}

// repayAddresses does so unless somebody else has furnished the interface since.
func (d *daemon) repayAddresses(addrs []facts.Address, name string, a *displaced) error {
	if len(a.addrs) == 0 {
		return nil
	}
	first, err := facts.ParseAddress(a.addrs[0])
	if err != nil {
		return err
	}
	if !anchored(addrs, first.Index) {
		return d.dropCopies(a)
	}
	d.log.Warn("putting back addresses that were put aside", "link", name, "addresses", a.prefixes)
	return d.refurnish(first.Index, a)
}

// lockLeft takes the lock of an interface that a dead daemon has left a record
// of, nil if there is none.
func (d *daemon) lockLeft(path, name string) *os.File {
	if info, err := os.Lstat(path); err != nil || info.Size() == 0 || locked(path) {
		return nil
	}
	f, err := d.lockInterface(name)
	if err != nil {
		return nil // it begins just now, and sweeps itself
	}
	return f
}
