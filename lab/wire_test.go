//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// Specification constants.
const (
	vrrpTTL = 255  // RFC 3768 §5.2.3
	cs6     = 0xc0 // the DS field of network control, RFC 4594 §3.2
	minimum = 60   // the shortest Ethernet frame, without its checksum
)

// secondRound is when the announcements of a takeover are repeated.
const secondRound = 5 * time.Second

// groupAddr is RFC 3768 §5.2.2.
var groupAddr = netip.MustParseAddr("224.0.0.18")

// TestWireFormat has tshark look at what a lone router sends from its start
// through its takeover to its stop.
func TestWireFormat(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	capture := l.Capture()
	a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high})
	a.AwaitActive(0)
	mark := 0
	announcement := lab.From(l.R1, lab.GratuitousARP(lab.VIP))
	for range 10 { // five, and five again five seconds later
		l.Tap.Wait(mark, 7*time.Second, announcement)
		mark = slices.IndexFunc(l.Tap.From(mark), announcement) + mark + 1
	}
	l.Tap.Await(l.Tap.Len(), 2*time.Second, "an advertisement", lab.Advert(l.R1))
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	frames := capture.Stop()

	adverts := lab.Select(frames, lab.Advert(l.R1))
	for _, f := range adverts {
		checkAdvert(t, l, f)
	}
	checkPeriod(t, adverts)
	if n := len(adverts); n < 5 || adverts[n-1].VRRP.Priority != 0 {
		t.Errorf("%d advertisements, the last one %s", n, adverts[n-1])
	}
	garps := lab.Select(frames, lab.GratuitousARP(lab.VIP))
	for _, f := range garps {
		checkAnnouncement(t, f)
	}
	if len(garps) != 10 {
		t.Fatalf("%d announcements, want 5 and 5 again", len(garps))
	}
	if !garps[0].Time.After(adverts[0].Time) {
		t.Errorf("announced before the first advertisement: %s", garps[0])
	}
	between(t, "the first announcement", adverts[0].Time, garps[0].Time, 0, announceLimit)
	between(t, "the first five announcements", garps[0].Time, garps[4].Time, 0, announceLimit)
	between(t, "the repetition", garps[0].Time, garps[5].Time, secondRound-announceLimit, secondRound+announceLimit)
	onlyVirtual(t, frames, lab.VIP)
}

func checkAdvert(t *testing.T, l *lab.Lab, f lab.Frame) {
	t.Helper()
	v := f.VRRP
	if f.Src != lab.VirtualMAC(lab.VRID) || f.Dst != lab.GroupMAC || f.Len != minimum {
		t.Errorf("frame of %d bytes from %s to %s", f.Len, f.Src, f.Dst)
	}
	if v.Src != l.R1.Addr || v.Dst != groupAddr || v.TTL != vrrpTTL || v.DSField != cs6 || !v.IPChecksumGood {
		t.Errorf("IPv4 header: %+v", *v)
	}
	if v.Version != 2 || v.VRID != lab.VRID || (v.Priority != high && v.Priority != 0) || v.Inter != 1 || !v.ChecksumGood ||
		v.Count != 1 || !slices.Equal(v.Addrs, []netip.Addr{lab.VIP}) {
		t.Errorf("VRRP: %+v", *v)
	}
}

// checkPeriod leaves out the first interval, which brings the router onto its
// grid, and the last, which the stop cuts short. The schedule is absolute: one
// late advertisement does not delay the next.
func checkPeriod(t *testing.T, adverts []lab.Frame) {
	t.Helper()
	for i := 2; i < len(adverts)-1; i++ {
		due := time.Duration(i-1) * lab.AdverInterval
		between(t, fmt.Sprintf("advertisement %d", i), adverts[1].Time, adverts[i].Time, due-tolerance, due+tolerance)
	}
}

func checkAnnouncement(t *testing.T, f lab.Frame) {
	t.Helper()
	virtual := lab.VirtualMAC(lab.VRID)
	if f.Src != virtual || f.Dst != lab.BroadcastMAC || f.Len != minimum || f.ARP.Op != 1 || f.ARP.SenderMAC != virtual {
		t.Errorf("announcement of %d bytes: %s", f.Len, f)
	}
	if target := f.ARP.TargetMAC; target != "00:00:00:00:00:00" {
		t.Errorf("announcement's target MAC is %s", target)
	}
}
