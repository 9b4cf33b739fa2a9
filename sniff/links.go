package sniff

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/records"
	"github.com/rvrrpd/rvrrpd/vault"
	"golang.org/x/sys/unix"
)

// judge is what the child judges packets by: the virtual routers of a configuration,
// and what their daemon would know of their interfaces. A nil one has none.
type judge struct {
	routers []conf.Router
	on      []ipc.Link // of each router
	links   []judged
	sole    string // the only interface of the configuration, "" of several
	live    bool   // packets come from an interface
	vault   *vault.Vault
}

// judged is a link.
type judged struct {
	records.Link
	there    bool
	state    ipc.LinkState
	prefixes []netip.Prefix // of the interface itself
}

// newJudge takes the virtual routers from a configuration, and looks at their
// interfaces where packets come from one.
func newJudge(o *Options) (*judge, error) {
	j, c, names := &judge{live: o.File == ""}, *o.Config, map[string]bool{}
	c.Routers = nil
	var others conf.Config
	for _, r := range o.Config.Routers {
		if names[r.Interface] = true; o.Interface == "" || r.Interface == o.Interface {
			j.sole, c.Routers = r.Interface, append(c.Routers, r)
		} else {
			others.Routers = append(others.Routers, r)
		}
	}
	others.Wipe()
	if len(names) > 1 {
		j.sole = ""
	}
	var err error
	if j.vault, err = vault.Lock(c.Secrets()); err != nil {
		return nil, err
	}
	links, on := records.Links(&c)
	for i, l := range links {
		j.links = append(j.links, judged{Link: l, state: ipc.LinkState{Link: ipc.Link(i)}})
	}
	j.routers, j.on = c.Routers, on
	if j.live {
		err = j.survey()
	}
	for i := range j.links {
		for _, a := range o.Own {
			j.links[i].prefixes = append(j.links[i].prefixes, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return j, err
}

// survey takes over what the interfaces are like.
func (j *judge) survey() error {
	infos, addrs, err := facts.All()
	if err != nil {
		return err
	}
	for i := range j.links {
		l := &j.links[i]
		at := slices.IndexFunc(infos, func(info facts.Link) bool { return info.Name == l.Name && !info.Port && !info.Loopback })
		if at < 0 {
			continue
		}
		var own facts.Usable
		for _, a := range addrs {
			if a.Index == infos[at].Index && a.Proto != facts.Protocol && a.Prefix.Addr().Is4() == (l.Family == ipc.IPv4) && !j.leftover(ipc.Link(i), a) {
				own.Take(a, infos[at].Up, func(ip netip.Addr) bool { return j.virtual(ipc.Link(i), ip, nil) })
			}
		}
		l.there, l.prefixes, l.state = true, own.Prefixes, own.State(ipc.Link(i), l.Family)
	}
	return nil
}

// virtual says whether an address is one of a link's virtual routers, of those that a
// condition holds for.
func (j *judge) virtual(on ipc.Link, ip netip.Addr, of func(*conf.Router) bool) bool {
	for i := range j.routers {
		r := &j.routers[i]
		if j.on[i] == on && (of == nil || of(r)) && slices.ContainsFunc(r.Addresses, func(a conf.Address) bool { return a.Addr == ip }) {
			return true
		}
	}
	return false
}

// leftover says whether an address is a virtual one that was left on the interface.
func (j *judge) leftover(on ipc.Link, a facts.Address) bool {
	return j.virtual(on, a.Prefix.Addr(), func(r *conf.Router) bool {
		return r.Owner == conf.OwnerFalse || r.Owner == conf.OwnerAuto && a.Proto == unix.RTPROT_KEEPALIVED
	})
}

// tell tells the child all that it needs.
func (j *judge) tell(send func(ipc.Slot, ipc.Message)) {
	if j == nil {
		send(ipc.NoSlot, ipc.Commit{})
		return
	}
	for i := range j.routers {
		r := &j.routers[i]
		record := records.Router(r, j.on[i])
		record.Ownership = records.Owns(r.Addresses, r.DerivedLinkLocal, r.Owner, j.links[j.on[i]].prefixes)
		send(ipc.Slot(i), record)
		for _, secret := range records.Secrets(r) {
			send(ipc.Slot(i), secret)
		}
	}
	for _, l := range j.links {
		send(ipc.NoSlot, l.state)
	}
	send(ipc.NoSlot, ipc.Commit{Routers: uint16(len(j.routers))})
}

// linksOf are the links of an interface.
func (j *judge) linksOf(name string) (ids sniffing.Links, err error) {
	ids = sniffing.Links{sniffing.NoLink, sniffing.NoLink}
	if j == nil {
		return ids, nil
	}
	if name == "" || name == anyInterface {
		if name = j.sole; name == "" {
			return ids, errors.New("the capture does not say on which interface it was made, and the configuration has several; -i names it")
		}
	}
	for i, l := range j.links {
		if l.Name != name || j.live && !l.there {
			continue
		}
		if l.Family == ipc.IPv4 {
			ids[0] = ipc.Link(i)
		} else {
			ids[1] = ipc.Link(i)
		}
	}
	return ids, nil
}
