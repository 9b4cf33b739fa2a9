package netproc

import (
	"math"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// reportEvery is the least time between two reports of one reason. The limit
// is not kept by source, VRID or link: whoever invents those cannot fill the
// log, nor our memory.
const reportEvery = int64(10 * time.Second)

// drops counts the packets discarded for one reason.
type drops struct {
	unreported uint32
	next       int64 // no report before
}

// drop counts a discarded packet, and reports the first at once, the others
// together with one of them.
func (p *process) drop(l ipc.Link, why ipc.Drop, vrid uint8, source netip.Addr) {
	d := &p.drops[why]
	if d.unreported < math.MaxUint32 {
		d.unreported++
	}
	if p.now < d.next {
		return
	}
	p.send(ipc.NoSlot, ipc.Dropped{Link: l, Reason: why, VRID: vrid, Source: source, Count: d.unreported})
	d.unreported, d.next = 0, p.now+reportEvery
}
