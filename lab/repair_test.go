//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestRepairsAreFew: who removes what is ours again and again does not fill the
// log; the lines say how often.
func TestRepairsAreFew(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	a := l.R1.Run(r)
	a.AwaitActive(0)
	const times = 40
	begin := time.Now()
	for range times {
		if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(lab.VIP) }) {
			t.Fatalf("%v is not back; it said\n%s", lab.VIP, a.Output())
		}
		l.R1.RemoveAddresses(lab.Device)
	}
	if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(lab.VIP) }) {
		t.Errorf("%v is not back", lab.VIP)
	}
	most := 5 + 1 + int(time.Since(begin)/(10*time.Second))
	if said := strings.Count(a.Output(), "put back"); said < 5 || said > most {
		t.Errorf("%d lines about %d repairs in %v, want 5 to %d", said, times, time.Since(begin), most)
	}
	// The next line, ten seconds later, tells of all.
	told := regexp.MustCompile(`put back.* times=(\d\d+)`)
	if !lab.Until(20*time.Second, func() bool {
		l.R1.RemoveAddresses(lab.Device)
		return told.MatchString(a.Output())
	}) {
		t.Fatalf("no other line; it said\n%s", a.Output())
	}
	if n, err := strconv.Atoi(told.FindStringSubmatch(a.Output())[1]); err != nil || n <= times {
		t.Errorf("told of %d repairs, of more than %d: %v", n, times, err)
	}
}

// TestNobodyElse: with the first address of a subnet that we give back the
// kernel removes our others of it. They are put back, and nobody is blamed.
func TestNobodyElse(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	for _, name := range []string{"all", lab.Interface} {
		l.R1.Set("net/ipv4/conf/"+name+"/promote_secondaries", "0")
	}
	router := func(vrid, last, priority int) string {
		return fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = \"10.66.0.%d/24\"\nversion = 3\npriority = %d\npreemption = true\n"+timers3+"\n", vrid, lab.Interface, last, priority)
	}
	p := runText(t, l.R1, router(10, 1, 200)+router(11, 2, 50)) // the first takes over first
	p.AwaitLine(0, 10*time.Second, "backup->active.*vr=eth0/11/")
	if !p.Said(0, "backup->active.*vr=eth0/10/") {
		t.Fatalf("it said\n%s", p.Output())
	}
	runText(t, l.R2, router(10, 1, 250))
	p.AwaitLine(0, 10*time.Second, "active->backup.*vr=eth0/10/")
	p.AwaitLine(0, 5*time.Second, "put back what the kernel has removed.*vr=eth0/11/.*went with another address of their subnet")
	if p.Said(0, "somebody else|active->.*vr=eth0/11/") {
		t.Errorf("it said\n%s", p.Output())
	}
}

// TestNoEthernet: VRRP runs on Ethernet alone. An interface that is there and
// is none is refused, at the start and by a reload; one that comes later is
// told of, once.
func TestNoEthernet(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	good := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}.Configuration("")
	on := func(device string) string {
		return good + fmt.Sprintf("[[vrouter]]\ngroup = 11\ninterface = %q\nvip = \"10.9.7.254\"\n", device)
	}
	l.R1.IP("tuntap add mode tun name tun0", "addr add 10.9.7.1/24 dev tun0", "link set tun0 up")
	refused := map[string]string{"lo": "interface: .*is not valid", "tun0": "tun0 is not an Ethernet interface, and VRRP runs on no other"}
	for device, want := range refused {
		p := runText(t, l.R1, on(device))
		if status := p.AwaitExit(5 * time.Second); status != 78 || !p.Said(0, want) {
			t.Errorf("%s: status %d; it said\n%s", device, status, p.Output())
		}
	}
	file := writeConfig(t, good)
	p := l.R1.Start(lab.Binary("rvrrpd"), "-m1", "-c", file)
	p.AwaitLine(0, 10*time.Second, "backup->active")
	for device, want := range refused {
		if err := os.WriteFile(file, []byte(on(device)), 0o600); err != nil {
			t.Fatal(err)
		}
		mark := p.Len()
		p.Signal(syscall.SIGHUP)
		p.AwaitLine(mark, 5*time.Second, "reload refused.*"+want)
	}
	if err := os.WriteFile(file, []byte(on("tun1")), 0o600); err != nil {
		t.Fatal(err)
	}
	mark := p.Len()
	p.Signal(syscall.SIGHUP)
	p.AwaitLine(mark, 5*time.Second, "configuration loaded")
	l.R1.IP("tuntap add mode tun name tun1", "addr add 10.9.8.1/24 dev tun1", "link set tun1 up")
	p.AwaitLine(mark, 5*time.Second, "interface not usable.*link=tun1/ipv4.*not an Ethernet interface")
	p.AwaitLine(mark, 5*time.Second, "link down.*link=tun1/ipv4.*it is not an Ethernet interface")
	awaitAdverts(l, l.R1, lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}, 10)
	if n := strings.Count(p.Output(), "interface not usable"); n != 1 {
		t.Errorf("told %d times; it said\n%s", n, p.Output())
	}
	if p.Said(0, "active->") {
		t.Errorf("the other one has stepped back; it said\n%s", p.Output())
	}
}
