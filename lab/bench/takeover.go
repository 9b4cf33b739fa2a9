package main

import (
	"fmt"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// takeover is a pair whose Active dies, some times in a row.
type takeover struct {
	steady
	kills int
	ipv6  bool
}

// String is how rows call it.
func (k takeover) String() string {
	if k.ipv6 {
		return k.steady.String() + "-ipv6"
	}
	return k.steady.String()
}

// pair is an Active on r1 and a Backup of the same kind on r2.
type pair struct {
	*scene
	active *lab.Process
	high   virtualRouters
	low    virtualRouters
	// heard is where the wire sees what has reached r2.
	heard []uint8
}

func (t *trial) newPair(k takeover) *pair {
	s := t.newScene(k.links)
	p := &pair{scene: s, high: s.routers(k.routers, k.interval, high), low: s.routers(k.routers, k.interval, low)}
	p.high.ipv6, p.low.ipv6 = k.ipv6, k.ipv6
	for _, l := range s.links {
		p.heard = append(p.heard, s.wire.add(s.R2, l.device))
	}
	p.active, _ = s.startActive(t.who, p.high)
	s.startBackup(t.who, p.low)
	return p
}

// measure kills the Active so many times, and brings it back between.
func (k takeover) measure(t *trial) {
	p := t.newPair(k)
	for i := range k.kills {
		if i > 0 {
			p.revive(k)
		}
		time.Sleep(max(time.Second, 3*k.interval))
		p.kill(k)
	}
}

// kill takes r1 off the wire and kills its daemon: a dead router hears nothing
// either. It notes how late r2 is.
func (p *pair) kill(k takeover) {
	p.wire.forget()
	p.wire.awaitAll(5*k.interval+5*time.Second, "advertisements of r1", k.routers, p.heard...)
	p.plug("nomaster")
	p.active.Kill()
	p.wire.await(p.low.activeDown()+startTime, "takeover of all", func(records []record) bool {
		return len(firsts(of(records, announcement, p.r2...))) >= k.routers && len(firsts(of(records, advert, p.r2...))) >= k.routers
	})
	p.noteTakeover(k)
}

// noteTakeover holds r2's first frames against the instants at which it was
// to take over.
func (p *pair) noteTakeover(k takeover) {
	adverts, arps := firsts(of(p.wire.records, advert, p.r2...)), firsts(of(p.wire.records, announcement, p.r2...))
	var deadline, last, lastAdvert int64
	for _, at := range lasts(of(p.wire.records, advert, p.heard...)) {
		deadline = max(deadline, at+int64(p.low.activeDown()))
	}
	for r, at := range arps {
		last, lastAdvert = max(last, at), max(lastAdvert, adverts[r])
	}
	p.note("advert", milliseconds(time.Duration(lastAdvert-deadline)))
	p.note("last", milliseconds(time.Duration(last-deadline)))
	if k.routers == 1 {
		p.note("arp", milliseconds(time.Duration(last-lastAdvert)))
	}
}

// plug connects r1's ports with the switch, or does not.
func (p *pair) plug(to string) {
	var commands []string
	for i := range p.links {
		m := to
		if to == "master" {
			m = fmt.Sprintf("master lan%d", i)
		}
		commands = append(commands, fmt.Sprintf("link set r1-%d %s", i, m))
	}
	p.Switch.IP(commands...)
}

// revive starts r1's daemon again, which takes its role back.
func (p *pair) revive(k takeover) {
	removeDevices(p.R1)
	p.plug("master")
	p.wire.forget()
	p.active = p.start(p.R1, p.who, p.high)
	p.wire.awaitAll(startTime+p.high.activeDown(), "return of r1", k.routers, p.heard...)
}
