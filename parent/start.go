package parent

import (
	"errors"
	"fmt"
	"os"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/vault"
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
	if _, err := d.lockLinks(next); err != nil {
		return err
	}
	if d.kernel, err = openKernel(); err != nil {
		return err
	}
	d.dump = facts.All
	if d.namespace, err = namespace(); err != nil {
		return err
	}
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
	d.leases, _ = nft.OpenLeases(running().before(renewsSince)) // to sweep; what is wrong with it is told below
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
