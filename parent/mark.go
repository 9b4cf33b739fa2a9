package parent

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Beside others' addresses, on an interface that is not our own device, ours
// are told by the protocol number that the kernel keeps for us (IFA_PROTO), or
// by their label (netdrv = "ioctl").

// version is that of a kernel.
type version struct{ major, minor int }

// marksSince is the first kernel with IFA_PROTO.
var marksSince = version{5, 18}

// parseVersion reads a release as uname(2) gives it; what is none is older
// than all.
func parseVersion(release string) (v version) {
	if n, _ := fmt.Sscanf(release, "%d.%d", &v.major, &v.minor); n != 2 {
		return version{}
	}
	return v
}

func (v version) before(o version) bool {
	return v.major < o.major || v.major == o.major && v.minor < o.minor
}

// running is the version of this kernel.
func running() version {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return version{}
	}
	return parseVersion(unix.ByteSliceToString(name.Release[:]))
}

// keepsMarks says whether the kernel remembers who added an address: by its
// version, or because a distribution has taught it.
func (k *kernel) keepsMarks() bool { return !running().before(marksSince) || k.knows(facts.IFAProto) }

// knows says whether the kernel knows an attribute of addresses that is longer
// than nothing. It is asked to delete one on no interface, with an empty
// attribute: what it knows it finds malformed, before it misses the interface.
func (k *kernel) knows(attribute int) bool {
	req := nl.NewNetlinkRequest(unix.RTM_DELADDR, unix.NLM_F_ACK)
	req.AddData(nl.NewIfAddrmsg(unix.AF_INET))
	req.AddData(nl.NewRtAttr(attribute, nil))
	err := k.exchange([]*nl.NetlinkRequest{req})
	return errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EINVAL)
}

// recognize refuses virtual routers whose addresses could not be told from
// those that the interface itself has: it would own them once it holds them.
func (d *daemon) recognize(next []*slot) error {
	if d.kernel.marks {
		return nil
	}
	for _, s := range next {
		if s != nil && s.device == "" && !s.ioctl {
			return fmt.Errorf("%s: iftype = \"ether\" needs Linux %d.%d: this kernel does not remember whose an address is; use iftype = \"macvlan\", or netdrv = \"ioctl\" for IPv4",
				s.name, marksSince.major, marksSince.minor)
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
