package main

import (
	"net"
	"net/netip"
	"strconv"
	"time"
)

// floods are the rates, in packets a second; 0 is as many as one process sends.
var floods = map[string]int{"1k": 1000, "10k": 10000, "50k": 50000, "most": 0}

// Implementation constants.
const (
	floodInterval = 100 * time.Millisecond
	floodTime     = 5 * time.Second
	// floodVRID is no end of an address of the lab's nodes.
	floodVRID = 200
)

// flood pours packets that must be dropped over a pair, at one rate after the
// other.
func flood(rates []string) func(*trial) {
	return func(t *trial) {
		s := t.newScene(0)
		v := virtualRouters{links: s.links, count: 1, first: floodVRID, interval: floodInterval, priority: high}
		p, _ := s.startActive(t.who, v)
		backup := v
		backup.priority = low
		s.startBackup(t.who, backup)
		time.Sleep(forwardSettle)
		a := v.advertisement(s.Client, s.links[0], floodVRID)
		a.priority = low
		for _, rate := range rates {
			if !t.wants(rate + "/") {
				continue
			}
			sender := s.startSender(s.Client, s.links[0].device, floods[rate], a.bogus())
			time.Sleep(time.Second)
			s.wire.forget()
			pids := tree(p)
			before, from, sentBefore := processor(pids...), time.Now(), s.received("client")
			time.Sleep(floodTime)
			used, lasted, sent := processor(pids...)-before, time.Since(from), s.received("client")-sentBefore
			records := of(s.wire.read(), advert, append(s.r1, s.r2...)...)
			sender.Kill()
			t.note(rate+"/cpu", 100*used.Seconds()/lasted.Seconds())
			t.note(rate+"/sent", float64(sent)/lasted.Seconds())
			t.note(rate+"/roles", float64(changes(records)))
			t.note(rate+"/missed", float64(max(0, int(lasted/floodInterval)-len(of(records, advert, s.r1...)))))
			time.Sleep(2 * time.Second)
		}
	}
}

func parseMAC(s string) net.HardwareAddr {
	m, err := net.ParseMAC(s)
	if err != nil {
		return make(net.HardwareAddr, 6)
	}
	return m
}

// address is the virtual address of a VRID.
func address(l link, vrid int) netip.Addr {
	a, err := netip.ParseAddr(l.network + strconv.Itoa(vrid))
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return a
}
