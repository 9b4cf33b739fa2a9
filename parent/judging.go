package parent

import (
	"errors"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// judges makes slots of the virtual routers that packets are judged by, and
// finds out what the daemon would know of their interfaces.
func (s *sniffing) judges() error {
	c, names := *s.Config, map[string]bool{}
	c.Routers = nil
	var others conf.Config
	for _, r := range s.Config.Routers {
		if names[r.Interface] = true; s.Interface == "" || r.Interface == s.Interface {
			s.sole, c.Routers = r.Interface, append(c.Routers, r)
		} else {
			others.Routers = append(others.Routers, r)
		}
	}
	others.Wipe()
	if len(names) > 1 {
		s.sole = ""
	}
	var err error
	if s.vault, err = lockAway(&c); err != nil {
		return err
	}
	s.adopt(s.match(&c))
	if s.File == "" {
		err = s.survey()
	}
	for _, l := range s.links {
		for _, a := range s.Own {
			l.prefixes = append(l.prefixes, netip.PrefixFrom(a, a.BitLen()))
		}
		for _, slot := range l.slots {
			slot.ownership = slot.owns(l.prefixes)
		}
	}
	return err
}

// survey takes over what the interfaces are like.
func (s *sniffing) survey() error {
	infos, addrs, err := (&kernel{}).dumped()
	if err != nil {
		return err
	}
	for _, l := range s.links {
		for _, info := range infos {
			if info.Name == l.name && !info.Port && !info.Loopback {
				l.index = info.Index
				l.told = l.facts(info, addrs)
			}
		}
	}
	return nil
}

// linksOf are the links of an interface.
func (s *sniffing) linksOf(name string) (ids ipc.Links, err error) {
	ids = ipc.Links{ipc.NoLink, ipc.NoLink}
	if s.Config == nil {
		return ids, nil
	}
	if name == "" || name == anyInterface {
		if name = s.sole; name == "" {
			return ids, errors.New("the capture does not say on which interface it was made, and the configuration has several; -i names it")
		}
	}
	for _, l := range s.links {
		if l.name != name || s.File == "" && l.index == 0 {
			continue
		}
		if l.family == ipc.IPv4 {
			ids[0] = l.id
		} else {
			ids[1] = l.id
		}
	}
	return ids, nil
}
