//go:build lab

package lab_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// activeAndBackup runs r1 as Active and r2 as Backup.
func activeAndBackup(t *testing.T, l *lab.Lab, r lab.Router) (a, b *lab.Daemon) {
	t.Helper()
	from, to := r, r
	from.Priority, to.Priority = high, low
	a = l.R1.Run(from)
	l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(l.R1))
	b = l.R2.Run(to)
	b.AwaitBackup()
	awaitAdverts(l, l.R1, r, 2)
	return a, b
}

// TestDeviceOfBackup: what somebody else does to the device of a Backup is
// undone: it is there, down, and has its hardware address when it is needed.
func TestDeviceOfBackup(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, tt := range []struct{ name, command, said string }{
			{"deleted", "link del " + lab.Device, "put back what somebody else has removed"},
			{"set up", "link set " + lab.Device + " up", "device set down again"},
			{"hardware address", "link set " + lab.Device + " address 02:00:00:00:00:99", "put back what somebody else has removed"},
			{"moved elsewhere", "link set " + lab.Device + " netns elsewhere", "put back what somebody else has removed"},
		} {
			t.Run(family.name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				r := family.router
				r.Interval = lab.AdverInterval // a busy machine is no reason to take over
				before := l.R2.AtRest()
				a, b := activeAndBackup(t, l, r)
				command := strings.Replace(tt.command, "elsewhere", l.Client.Namespace, 1)
				for i := range 3 {
					mark := b.Len()
					l.R2.IP(command)
					b.AwaitLine(mark, 3*time.Second, tt.said)
					if !lab.Until(2*time.Second, func() bool {
						d, there := l.R2.Links()[lab.Device]
						return there && !d.Up && d.MAC == r.MAC()
					}) {
						t.Errorf("the device is %+v", l.R2.Links()[lab.Device])
					}
					if strings.Contains(command, "netns") {
						l.Client.IP("link del " + lab.Device)
					}
					if i == 0 && l.R2.Holds(r.VIPs()[0]) {
						t.Error("a Backup holds the address")
					}
				}
				if b.Said(0, "->active|->initialize") {
					t.Errorf("r2 said\n%s", b.Output())
				}
				a.Kill()
				b.AwaitActive(0)
				answers(t, l, l.R2, r)
				if status := b.Terminate(5 * time.Second); status != 0 || b.Said(0, "level=ERROR") {
					t.Errorf("status %d; r2 said\n%s", status, b.Output())
				}
				if diff := before.Diff(l.R2.Snapshot()); diff != "" {
					t.Errorf("r2 is not as it was before:\n%s", diff)
				}
			})
		}
	}
}

// TestDeviceGoneAtTakeover: what is in the way of a takeover and was not
// noticed before is put right in it.
func TestDeviceGoneAtTakeover(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, what := range []string{"device", "setting"} {
			if what == "setting" && !family.router.IPv6 {
				continue
			}
			t.Run(family.name+", "+what, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				r := family.router
				a, b := activeAndBackup(t, l, r)
				signal(t, syscall.SIGSTOP, b.PID)
				if what == "device" {
					l.R2.IP("link del " + lab.Device)
				} else {
					l.R2.Set("net/ipv6/conf/"+lab.Device+"/disable_ipv6", "1")
				}
				a.Kill()
				gone := time.Now()
				lab.Until(2*r.ActiveDown(), func() bool { return time.Since(gone) > r.ActiveDown()*3/2 }) // r2's network process has decided
				signal(t, syscall.SIGCONT, b.PID)
				b.AwaitActive(0)
				answers(t, l, l.R2, r)
				for _, vip := range r.VIPs() {
					if !l.R2.Holds(vip) {
						t.Errorf("r2 does not hold %v", vip)
					}
				}
				if b.Said(0, "level=ERROR|active->") {
					t.Errorf("r2 said\n%s", b.Output())
				}
			})
		}
	}
}

// TestNameTaken: a virtual router whose device cannot be made waits, and says
// why once; the others on its link start, and it does when it can.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	l.R1.IP("link add " + lab.Device + " type bridge")
	other := strings.NewReplacer("group = 10", "group = 11", lab.VIP.String(), "10.9.0.253", lab.Device, "vrrp11").Replace(r.Configuration(""))
	a := runText(t, l.R1, r.Configuration("")+other)
	a.AwaitLine(0, 5*time.Second, "no device for the addresses.*vr=eth0/10/ipv4.*file exists")
	a.AwaitLine(0, 5*time.Second, "msg=ready")
	a.AwaitLine(0, 5*time.Second, "backup->active.*vr=eth0/11/ipv4")
	// For longer than it would wait between two attempts.
	since := time.Now()
	lab.Until(5*time.Second, func() bool { return time.Since(since) > 2500*time.Millisecond })
	n := 0
	for _, line := range a.From(0) {
		if strings.Contains(line.Text, "level=ERROR") {
			n++
		}
	}
	if n != 1 || a.Said(0, "->active.*vr=eth0/10/ipv4") {
		t.Errorf("%d errors; it said\n%s", n, a.Output())
	}
	if got := l.R1.Links()[lab.Device].Kind; got != "bridge" {
		t.Errorf("somebody else's device is a %q now", got)
	}
	l.R1.IP("link del " + lab.Device)
	a.AwaitLine(0, 5*time.Second, "backup->active.*vr=eth0/10/ipv4")
	answers(t, l, l.R1, r)
	if a.Said(0, "put back") {
		t.Errorf("nothing was removed; it said\n%s", a.Output())
	}
}

// TestReadOnlySettings: where the settings cannot be changed, as in a
// container, each is told once with the command that does, unless it holds for
// all interfaces, and the virtual router works all the same.
func TestReadOnlySettings(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := family.router
			r.Priority = high
			l.R1.Set("net/ipv4/conf/all/arp_announce", "2") // as is possible for a container
			before := l.R1.AtRest()
			second := strings.NewReplacer("group = 10", "group = 11", ":254", ":253", ".254", ".253", lab.Device, "vrrp11").Replace(r.Configuration(""))
			file := writeConfig(t, r.Configuration("")+second)
			a := l.R1.Start("unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "+lab.Binary("rvrrpd")+" -m1 -c "+file)
			commands := []string{"net.ipv4.conf.eth0.arp_ignore=1", "net.ipv6.conf." + lab.Device + ".disable_ipv6=1"}
			if r.IPv6 {
				commands = []string{"net.ipv6.conf." + lab.Device + ".forwarding=1", "net.ipv6.conf." + lab.Device + ".addr_gen_mode=1"}
			}
			for _, c := range commands {
				a.AwaitLine(0, 5*time.Second, `setting cannot be changed.*command="sysctl -w `+c+`".*read-only file system`)
			}
			a.AwaitLine(0, 5*time.Second, "backup->active.*vr=eth0/10/")
			a.AwaitLine(0, 5*time.Second, "backup->active.*vr=eth0/11/")
			holdsAll(t, l, l.R1, r)
			awaitAdverts(l, l.R1, r, 25) // settings were looked at again
			told := map[string]int{}
			for _, line := range a.From(0) {
				if _, command, found := strings.Cut(line.Text, "command="); found && strings.Contains(command, "sysctl -w net.ip") && strings.Contains(line.Text, "cannot be changed") {
					told[command[:strings.Index(command, " error")]]++
				}
			}
			for command, n := range told {
				if n != 1 || strings.Contains(command, "vrrp11") || strings.Contains(command, "arp_announce") {
					t.Errorf("%s was told %d times", command, n)
				}
			}
			if status := a.Terminate(5 * time.Second); status != 0 || a.Said(0, "level=ERROR") {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("r1 is not as it was before:\n%s", diff)
			}
		})
	}
}

// TestSettingsChanged: a setting that somebody else changes is put back, and
// told; in the end the link gets what they wanted.
func TestSettingsChanged(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := family.router
			r.Interval = lab.AdverInterval // a busy machine is no reason to take over
			a, b := activeAndBackup(t, l, r)
			type change struct{ name, to, want string }
			changes := []change{{"net/ipv4/conf/eth0/arp_ignore", "0", "1"}, {"net/ipv4/conf/eth0/arp_announce", "1", "2"},
				{"net/ipv4/conf/" + lab.Device + "/rp_filter", "1", "2"}, {"net/ipv4/conf/" + lab.Device + "/arp_ignore", "8", "1"}}
			if r.IPv6 {
				changes = []change{{"net/ipv6/conf/" + lab.Device + "/disable_ipv6", "1", "0"}, {"net/ipv6/conf/" + lab.Device + "/forwarding", "0", "1"},
					{"net/ipv4/conf/" + lab.Device + "/arp_ignore", "0", "8"}}
			}
			for node, d := range map[*lab.Node]*lab.Daemon{l.R1: a, l.R2: b} {
				for _, c := range changes {
					mark := d.Len()
					node.Set(c.name, c.to)
					if !lab.Until(3*time.Second, func() bool { return node.Setting(c.name) == c.want }) {
						t.Errorf("%s: %s = %s, want %s", node.Name, c.name, node.Setting(c.name), c.want)
					}
					d.AwaitLine(mark, 3*time.Second, "put back what somebody else has changed.*setting="+c.name[strings.LastIndexByte(c.name, '/')+1:])
				}
			}
			answers(t, l, l.R1, r)
			holdsAll(t, l, l.R1, r)
			if a.Said(0, "active->|level=ERROR") || b.Said(0, "->active|level=ERROR") {
				t.Errorf("r1 said\n%sr2 said\n%s", a.Output(), b.Output())
			}
			for node, d := range map[*lab.Node]*lab.Daemon{l.R1: a, l.R2: b} {
				if status := d.Terminate(5 * time.Second); status != 0 {
					t.Errorf("%s: status %d", node.Name, status)
				}
				for name, want := range map[string]string{"arp_ignore": "0", "arp_announce": "1"} {
					name = "net/ipv4/conf/eth0/" + name
					if got := node.Setting(name); got != want && !r.IPv6 {
						t.Errorf("%s: in the end %s = %s, want %s", node.Name, name, got, want)
					}
					node.Set(name, "0") // as it was before the test
				}
			}
		})
	}
}

// TestForwardingFollows: a device forwards if the interface below does.
func TestForwardingFollows(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.Set("net/ipv4/ip_forward", "0")
	l.R1.Set("net/ipv4/conf/eth0/forwarding", "1")
	a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high})
	a.AwaitActive(0)
	for _, want := range []string{"1", "0", "1"} {
		l.R1.Set("net/ipv4/conf/eth0/forwarding", want)
		if !lab.Until(3*time.Second, func() bool { return l.R1.Setting("net/ipv4/conf/"+lab.Device+"/forwarding") == want }) {
			t.Errorf("forwarding is not %s", want)
		}
	}
	if a.Said(0, "put back") {
		t.Errorf("it said\n%s", a.Output())
	}
}

// TestNoDeviceNoSettings: the settings of an interface that are for the sake of
// its macvlans go with the last of them, so that a kill afterwards leaves none.
func TestNoDeviceNoSettings(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	settings := func() string {
		return fmt.Sprint(l.R1.Setting("net/ipv4/conf/eth0/arp_ignore"), l.R1.Setting("net/ipv4/conf/eth0/arp_announce"))
	}
	before := settings()
	a := startReloaded(t, l.R1, r.Configuration(""))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	if now := settings(); now != "12" {
		t.Errorf("with a macvlan the settings are %s", now)
	}
	r.OnInterface = true
	a.reload(r.Configuration(""), "configuration loaded")
	if !lab.Until(2*time.Second, func() bool { return settings() == before }) {
		t.Errorf("without a macvlan the settings are %s, before %s", settings(), before)
	}
	r.OnInterface = false
	a.reload(r.Configuration(""), "configuration loaded")
	if !lab.Until(2*time.Second, func() bool { return settings() == "12" }) {
		t.Errorf("with a macvlan again the settings are %s", settings())
	}
	if status := a.Terminate(5 * time.Second); status != 0 || settings() != before {
		t.Errorf("status %d; in the end the settings are %s, before %s", status, settings(), before)
	}
}
