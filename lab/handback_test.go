//go:build lab

package lab_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestHandBackForwardsNothing: hundreds of macvlans of a router that has
// stepped back are set down one after the other, and meanwhile nothing that is
// sent to a virtual MAC is forwarded by it. Not in parallel: it takes all there is.
func TestHandBackForwardsNothing(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %v", ipv6), func(t *testing.T) { handBack(t, ipv6) })
	}
}

func handBack(t *testing.T, ipv6 bool) {
	const count = 200
	l := lab.New(t)
	l.MoreLinks(1)
	l.R1.Set("net/ipv4/ip_forward", "1")
	l.R1.Set("net/ipv6/conf/all/forwarding", "1")
	host, from, family, config := l.Client.Addr, "10.100.0.9:9", byte(1), func(priority int) string { return scaled(1, count, priority) }
	if ipv6 {
		l.R1.IP("addr add 2001:db8:77::1/64 dev " + lab.Interface + " nodad")
		l.Client.IP("addr add 2001:db8:77::3/64 dev " + lab.Interface + " nodad")
		host, from, family = netip.MustParseAddr("2001:db8:77::3"), "[2001:db8:78::9]:9", 2
		address := regexp.MustCompile(`"10\.100\.1\.(\d+)"`)
		config = func(priority int) string { return address.ReplaceAllString(scaled(1, count, priority), `"fe80::1:$1"`) }
	}
	var client *net.UDPConn
	if err := l.Client.Do(func() (err error) {
		client, err = net.ListenUDP("udp", &net.UDPAddr{IP: host.AsSlice()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	port := client.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	send := l.Switch.Sender("r1-0")
	sent := uint32(0)
	offer := func() {
		for v := range count {
			sent++
			frame := lab.UDP(net.HardwareAddr{0, 0, 0x5e, 0, family, byte(v + 1)}, netip.MustParseAddrPort(from), netip.AddrPortFrom(host, port), binary.BigEndian.AppendUint32(nil, sent))
			if err := send(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	arrived := make(chan uint32, 1<<20)
	go func() {
		for b := make([]byte, 64); ; {
			n, err := client.Read(b)
			if err != nil {
				return
			}
			if n == 4 {
				arrived <- binary.BigEndian.Uint32(b)
			}
		}
	}()
	up := func() (n int) {
		for name, link := range l.R1.Links() {
			if strings.HasPrefix(name, "v0-") && link.Up {
				n++
			}
		}
		return n
	}

	a := runText(t, l.R1, config(low))
	awaitAll(t, a, 0, "backup->active", count, 20*time.Second)
	if !lab.Until(5*time.Second, func() bool { offer(); return len(arrived) > count }) {
		t.Fatal("the Active does not forward")
	}
	first := a.Len()
	b := runText(t, l.R2, config(high))
	// Released is who has no address any more and, in IPv6, takes none of that.
	released := func() bool {
		for name, ips := range l.R1.AllAddresses() {
			if strings.HasPrefix(name, "v0-") && len(ips) > 0 {
				return false
			}
		}
		for name, link := range l.R1.Links() {
			if ipv6 && strings.HasPrefix(name, "v0-") && link.Up && l.R1.Setting("net/ipv6/conf/"+name+"/disable_ipv6") != "1" {
				return false
			}
		}
		return true
	}
	a.AwaitLine(first, 20*time.Second, "active->backup")
	// The kernel sets many down in a moment where it waits for no processor: r1 is
	// stopped now and again, until it is in that moment.
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) { // lab.Until would pause for longer
		signal(t, syscall.SIGSTOP, a.PID)
		if released() {
			break
		}
		signal(t, syscall.SIGCONT, a.PID)
		if time.Now().After(end) {
			t.Fatalf("r1 does not step back; it said\n%s", a.Output())
		}
	}
	still := up()
	mark := sent
	if still == 0 {
		t.Error("all devices are down at once: this shows nothing")
	}
	for range 10 {
		offer()
	}
	signal(t, syscall.SIGCONT, a.PID)
	began := time.Now()
	if !lab.Until(30*time.Second, func() bool { offer(); return up() == 0 }) {
		t.Errorf("%d devices are still up", up())
	}
	awaitAll(t, b, 0, "backup->active", count, 20*time.Second)
	awaitAll(t, a, 0, "active->backup", count, 20*time.Second)
	t.Logf("%d devices were up; all down after %v more; %d frames offered", still, time.Since(began), sent-mark)
	forwarded := 0
	for range len(arrived) {
		if id := <-arrived; id > mark {
			forwarded++
		}
	}
	if forwarded > 0 {
		t.Errorf("%d frames forwarded by the router that had stepped back", forwarded)
	}
	b.Kill()
	awaitAll(t, a, 0, "backup->active", 2*count, 20*time.Second)
	if !lab.Until(5*time.Second, func() bool { offer(); return len(arrived) > count }) {
		t.Error("Active again, it does not forward")
	}
}
