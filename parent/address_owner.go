package parent

import (
	"fmt"
	"slices"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// Beside others' addresses, on an interface that is not our own device, ours
// are told by the protocol number that the kernel keeps for us (IFA_PROTO), or
// by their label (netdrv = "ioctl").

// recognize refuses virtual routers whose addresses could not be told from
// those that the interface itself has: it would own them once it holds them.
func (d *daemon) recognize(next []*slot) error {
	if d.marks {
		return nil
	}
	for _, s := range next {
		if s != nil && s.device == "" && !s.ioctl {
			return fmt.Errorf("%s: iftype = \"ether\" needs Linux 5.18: this kernel does not remember whose an address is; use iftype = \"macvlan\", or netdrv = \"ioctl\" for IPv4",
				s.name)
		}
	}
	return nil
}

// suits refuses interfaces that are there and that VRRP cannot run on, however
// long we waited.
func (d *daemon) suits(next []*slot) error {
	infos, err := facts.Links()
	infos = slices.DeleteFunc(infos, facts.Link.Ethernet)
	for _, s := range next {
		if s != nil && slices.ContainsFunc(infos, func(i facts.Link) bool { return i.Name == d.links[s.link].name }) {
			return fmt.Errorf("%w: %s: %s is not an Ethernet interface, and VRRP runs on no other", ErrConfiguration, s.name, d.links[s.link].name)
		}
	}
	return err
}
