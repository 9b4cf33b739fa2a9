//go:build lab

package lab_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// counters reads how many packets an interface of a node has received and sent.
func counters(t *testing.T, n *lab.Node, name string) (received, sent int) {
	t.Helper()
	var text []byte
	if err := n.Do(func() (err error) { text, err = os.ReadFile("/proc/thread-self/net/dev"); return err }); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(strings.TrimSpace(line), name+":"); is {
			fields := strings.Fields(rest)
			received, _ = strconv.Atoi(fields[1])
			sent, _ = strconv.Atoi(fields[9])
			return received, sent
		}
	}
	t.Fatalf("%s: no interface %s in\n%s", n.Name, name, text)
	return 0, 0
}

// behind gives both routers a network behind them, with a host that swallows
// what it is sent, and the client a way there through the virtual router.
func behind(l *lab.Lab, r lab.Router) (host string) {
	own, length, via := "10.20.0.1", "/24", lab.VIP.String()
	host = "10.20.0.9"
	network := "10.20.0.0/24"
	if r.IPv6 {
		own, length, host, network, via = "2001:db8:20::1", "/64", "2001:db8:20::9", "2001:db8:20::/64", lab.IPv6VIPs[0].String()
	}
	for _, n := range []*lab.Node{l.R1, l.R2} {
		n.Set("net/ipv6/conf/all/forwarding", "1")
		n.IP("link add far type veth peer name farther", "link set farther up", "link set far up", "addr add "+own+length+" dev far",
			"neigh add "+host+" lladdr 02:00:00:00:00:09 dev far nud permanent")
	}
	if r.IPv6 {
		l.Client.IP("addr add 2001:db8:9::3/64 dev " + lab.Interface + " nodad")
	}
	l.Client.IP("route add " + network + " via " + via + " dev " + lab.Interface)
	// Without a memory the switch is a hub: everybody hears everything.
	l.Switch.IP("link set br0 type bridge ageing_time 0")
	return host
}

// packets is how many the client sends: more than what interfaces say of
// themselves meanwhile.
const packets = 100

// TestForwarding: the Active forwards frames to the virtual MAC; a Backup,
// which hears the same frames, discards them, and so does an Active that was
// killed, whose device is still up (RFC 3768 §6.4.2 and §6.4.3, RFC
// 5798 §6.4.2 (335) and §6.4.3 (645)).
func TestForwarding(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]lab.Router{
		"IPv4": {Kind: lab.Rvrrpd},
		"IPv6": {Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := r, r
			first.Priority, second.Priority = high, low
			l := lab.New(t)
			host := behind(l, r)
			p := &pair{Lab: l, a: l.R1.Run(first)}
			l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(l.R1))
			p.b = l.R2.Run(second)
			p.b.AwaitBackup()
			awaitAdverts(l, l.R1, first, 2)
			p.forwards(t, host, p.R1, p.R2)
			mark := p.b.Len()
			p.a.Kill()
			p.b.AwaitActive(mark)
			if !lab.Until(time.Second, func() bool { return p.R2.Holds(r.VIPs()[0]) }) {
				t.Errorf("r2 does not hold %v", r.VIPs()[0])
			}
			p.forwards(t, host, p.R2, p.R1)
		})
	}
}

// forwards has the client send to a host behind both routers, and checks
// which of them forwards it.
func (p *pair) forwards(t *testing.T, host string, active, other *lab.Node) {
	t.Helper()
	_, before := counters(t, active, "far")
	_, otherBefore := counters(t, other, "far")
	heard, _ := counters(t, other, lab.Interface)
	err := p.Client.Do(func() error {
		c, err := net.Dial("udp", net.JoinHostPort(host, "9"))
		if err != nil {
			return err
		}
		defer c.Close()
		for range packets {
			if _, err := c.Write([]byte("discard")); err != nil {
				return err
			}
			time.Sleep(time.Millisecond) // the queue for the first answer is short
		}
		return nil
	})
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	sent := 0
	if !lab.Until(2*time.Second, func() bool {
		_, now := counters(t, active, "far")
		sent = now - before
		return sent >= packets*9/10
	}) {
		t.Errorf("%s forwarded %d of %d packets", active.Name, sent, packets)
	}
	if now, _ := counters(t, other, lab.Interface); now-heard < packets*9/10 {
		t.Fatalf("the test itself is wrong: %s heard %d of %d packets", other.Name, now-heard, packets)
	}
	if _, now := counters(t, other, "far"); now-otherBefore > packets/10 {
		t.Errorf("%s, a Backup, forwarded %d of %d packets", other.Name, now-otherBefore, packets)
	}
}
