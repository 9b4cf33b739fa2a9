package parent

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsyscall "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/reader"
	"github.com/rvrrpd/rvrrpd/vault"
	"github.com/rvrrpd/rvrrpd/walls"
)

// deviceGroup marks our devices' group number; the low bits are the daemon's.
const deviceGroup = 0x76000000

// doomedGroup is the bit of a group number for those to be deleted: process
// ids are shorter.
const doomedGroup = 0x800000

// chooseGroup picks a group that no device is in: ours are deleted by it.
func (d *daemon) chooseGroup() error {
	infos, err := facts.Links()
	used := make(map[uint32]bool)
	for _, i := range infos {
		used[i.Group] = true
	}
	low := uint32(os.Getpid())
	for used[deviceGroup|low&0xffffff] {
		low++
	}
	d.group = deviceGroup | low&0xffffff
	return err
}

// makeUser makes the user that the child runs as by default.
const makeUser = "useradd --system --user-group --home-dir / --no-create-home --shell /usr/sbin/nologin rvrrpd"

// open opens sockets and program, sweeps what an earlier daemon left, and
// prepares the interfaces.
func (d *daemon) open(c *conf.Config) (err error) {
	d.warn(c)
	if d.vault, err = vault.Lock(c.Secrets()); err != nil {
		return err
	}
	next := d.match(c)
	for _, s := range next {
		if s.derived {
			d.log.Info("link-local address derived from the VRID: none is configured", "vr", s.name, "address", s.addrs[0].Addr)
		}
	}
	if d.namespace, err = namespace(); err != nil { // the locks' files bear its number
		return err
	}
	if _, err := d.lockLinks(next); err != nil {
		return err
	}
	if err := d.openKernel(); err != nil {
		return err
	}
	if d.monitor.Reports, err = kernel.OpenReports(observed...); err != nil {
		return err
	}
	d.dump = facts.All
	if err := errors.Join(d.recognize(next), d.suits(next)); err != nil {
		return err
	}
	if err := d.listen(next, c); err != nil {
		return err
	}
	known, err := d.readState(next)
	if err != nil {
		return err
	}
	d.adopt(next)
	d.recall(nil, known)
	d.setRoutes(c.Routes)
	if err := d.inherit(c); err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	if err := d.sweep(); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if d.group == 0 {
		if err := d.chooseGroup(); err != nil {
			return err
		}
	}
	if err := d.leaseAs(c.Lease); err != nil {
		return err
	}
	d.now = ipc.Monotonic() // all this took its time
	if err := d.resync(); err != nil {
		return err
	}
	if err := d.settleIn(); err != nil {
		return err
	}
	for _, l := range d.links {
		if !l.told.Up {
			d.log.Warn("waiting for the link: it must be there, up, and have an address to speak from", "link", l.linkName, "cause", l.cause)
		}
	}
	return nil
}

// sysctls is the only part of /proc the parent writes to.
const sysctls = "/proc/sys/net"

// kept are the capabilities the parent works with: interfaces, addresses and
// sockets. Everything else is given up.
var kept = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}

// restrict is the last step of the start: from here on the parent reaches the
// files it will still need, by Landlock, and makes the system calls of
// rules.Parent. A configuration that lies in another directory later, or names
// keys there, needs a restart.
func (d *daemon) restrict(o Options) error {
	// The rule for the settings hangs on the directory as the kernel has it in
	// memory now: an open descriptor keeps it there.
	if _, err := unix.Open(sysctls, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("%s: %w", sysctls, err)
	}
	// So that a reload may begin to use it; without it a reload says so.
	c := o.Begun.Config
	_ = os.MkdirAll(c.StateDir, 0o700)
	err := landlock.V11.BestEffort().Restrict(
		landlock.RODirs(reader.Directories(c, o.Begun.source.Path())...).IgnoreIfMissing(),
		landlock.RWDirs(sysctls, runDir, c.StateDir).IgnoreIfMissing(),
		landlock.PathAccess(llsyscall.AccessFSWriteFile|llsyscall.AccessFSMakeReg, o.LogDirs...).IgnoreIfMissing(),
		landlock.PathAccess(llsyscall.AccessFSRemoveFile, o.RemoveDirs...).IgnoreIfMissing())
	if err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return walls.LoadFilter(syscallFilter)
}
