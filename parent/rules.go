package parent

import (
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
)

// enforce brings our nftables tables up to date. Where the kernel has no
// nftables only what the configuration insists on is an error.
func (b *broker) enforce() error {
	if err := b.applyLeases(false); err != nil {
		return err
	}
	want := b.wanted()
	err := b.tables.Apply(want)
	if err == nil || len(want.Refused)+len(want.RefusedOn)+len(want.Owned) > 0 {
		return err
	}
	if !b.unwalled {
		b.log.Warn("ICMP redirects may come from another address than hosts use", "error", err)
	}
	b.unwalled = true
	return nil
}

// wanted are the rules that follow from what is now.
func (b *broker) wanted() (r nft.Rules) {
	for _, s := range present(b.pages) {
		l := b.wires[s.link]
		for _, a := range s.addrs {
			switch {
			case s.own && (s.ownership == ipc.OwnsAll || s.held && records.Has(l.prefixes, a.Addr)):
				r.Owned = append(r.Owned, nft.AddressOn{Index: l.index, Addr: a.Addr})
			case s.ownership == ipc.OwnsAll || s.accept || b.hasItself(l, a.Addr):
			case nft.LinkLocal(a.Addr):
				r.RefusedOn = append(r.RefusedOn, nft.AddressOn{Index: l.index, Addr: a.Addr}, nft.AddressOn{Index: s.index, Addr: a.Addr})
			default:
				r.Refused = append(r.Refused, a.Addr)
			}
		}
		if s.index != 0 {
			r.Quiet = append(r.Quiet, s.index)
		}
	}
	slices.Sort(r.Quiet)
	slices.SortFunc(r.Refused, netip.Addr.Compare)
	r.Quiet, r.Refused, r.RefusedOn = slices.Compact(r.Quiet), slices.Compact(r.Refused), slices.Compact(r.RefusedOn)
	return r
}
