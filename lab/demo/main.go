// Command demo shows a failover as it happens: two routers and a client in
// network namespaces, real daemons, a hard kill, a return and a graceful
// stop. It measures on the wire, against the protocol's own limits, and fails
// when they are not kept or when anything is left behind.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// tolerance is how much later than the protocol's limit a takeover may be.
const tolerance = 30 * time.Millisecond

// Priorities of the two routers.
const (
	high = 200
	low  = 100
)

func main() { os.Exit(run()) }

// run runs the demo, cleans up, and reports.
func run() (status int) {
	s := lab.NewStage("demo")
	if _, err := exec.LookPath("ip"); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		return 1
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-interrupted
		s.End()
		os.Exit(130)
	}()
	began := time.Now()
	p := &play{Stage: s}
	p.perform()
	s.Clean()
	if left := lab.Leftovers(os.Getpid()); len(left) > 0 {
		s.Errorf("namespaces left behind: %v", left)
	}
	p.summary(time.Since(began))
	if failures := s.Failures(); len(failures) > 0 {
		fmt.Printf("\n%s\n", paint(red, "THE DEMO FAILED"))
		for _, f := range failures {
			fmt.Println(paint(red, "  "+f))
		}
		return 1
	}
	return 0
}

// play is the demo.
type play struct {
	*lab.Stage
	*timeline
	lab    *lab.Lab
	ping   *lab.Pinger
	r1, r2 *lab.Daemon
	rows   []measurement
}

// perform goes through the acts; one that fails ends it.
func (p *play) perform() {
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(lab.Stopped); !ours {
				p.Clean()
				panic(r)
			}
			if p.timeline != nil {
				p.flush()
			}
		}
	}()
	p.lab = lab.New(p.Stage)
	before1, before2 := p.lab.R1.Snapshot(), p.lab.R2.Snapshot()
	p.prologue()
	p.begin()
	p.crash()
	p.comeback()
	p.handover()
	p.end(before1, before2)
}

// prologue shows the scene.
func (p *play) prologue() {
	fmt.Printf(`%s

    r1 %v, priority %d      r2 %v, priority %d      client %v
                 |                             |                      |
                 +-----------------------------+----------------------+
    virtual address %v at %s; VRRPv2, an advertisement a second
    the client pings it every %v

%s
`, paint(bold, "rvrrpd: a failover as it happens"), p.lab.R1.Addr, high, p.lab.R2.Addr, low, p.lab.Client.Addr,
		lab.VIP, lab.VirtualMAC(lab.VRID), lab.PingInterval, paint(dim, indent(router(high).Configuration("r1"))))
}

func router(priority int) lab.Router {
	// A number that nobody has: there need not be a user rvrrpd here.
	return lab.Router{Kind: lab.Rvrrpd, Priority: priority, User: "61000"}
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ")
}

// begin starts both routers; r1 becomes Active.
func (p *play) begin() {
	fmt.Printf("\n%s\n", paint(bold, "== two routers start"))
	p.timeline = newTimeline()
	p.wire(p.lab)
	p.r1 = p.start(p.lab.R1.Run(router(high)))
	p.r2 = p.start(p.lab.R2.Run(router(low)))
	p.r2.AwaitBackup()
	p.r1.AwaitActive(0)
	p.holds(p.lab.R1, p.lab.R2)
	p.ping = p.lab.Ping(lab.VIP, p.client)
	if !lab.Until(2*time.Second, p.ping.Answering) {
		p.Fatalf("%v does not answer", lab.VIP)
	}
	p.add(time.Now(), "client", green, "%v answers", lab.VIP)
	p.heading("who runs as what")
	listProcesses(p.r1, p.r2)
}

// start shows a daemon that has been started.
func (p *play) start(d *lab.Daemon) *lab.Daemon {
	p.add(time.Now(), d.Node.Name, plain, "%s", d.Command())
	p.daemon(d)
	return d
}

// crash kills r1's daemon with all its processes; r2 takes over.
func (p *play) crash() {
	p.heading("r1's daemon is killed: SIGKILL to all its processes")
	p.adverts(p.lab.R1, 2)
	from := p.now()
	at := p.r1.Kill()
	p.add(at, "r1", red, "killed")
	p.r2.AwaitActive(from.said)
	takeover := p.lab.Tap.Await(from.frames, time.Second, "r2's advertisement", lab.Advert(p.lab.R2))
	last, ok := lab.Last(p.lab.Tap.From(0), takeover.Time, lab.Advert(p.lab.R1))
	if !ok {
		p.Fatalf("r1 never advertised")
	}
	if !lab.Until(time.Second, func() bool { return p.lab.R2.Holds(lab.VIP) }) {
		p.Fatalf("r2 does not hold %v", lab.VIP)
	}
	p.adverts(p.lab.R2, 1)
	if p.lab.R1.Holds(lab.VIP) && len(p.ping.Outages.From(0)) == 0 {
		p.add(time.Now(), "client", plain, "nothing lost: until r2 spoke, r1's kernel went on answering for its dead daemon")
	}
	p.measure("r1 killed, r2 takes over", "last advertisement to first", takeover.Time.Sub(last.Time),
		"Active_Down_Interval", lab.MasterDown(low), from.at)
}

// comeback starts r1 again: it sweeps what it left, and takes over again.
func (p *play) comeback() {
	p.heading("r1 is started again, and has the higher priority")
	if left := p.lab.R1.Links()[lab.Device]; left.Kind == "macvlan" {
		p.add(time.Now(), "r1", yellow, "%s is still there, with %v: nobody lived to remove it", lab.Device, lab.VIP)
	}
	from := p.now()
	p.r1 = p.start(p.r1.Again())
	backup := p.r1.AwaitBackup()
	if p.lab.R1.Holds(lab.VIP) {
		p.Errorf("r1 is Backup, and still holds %v", lab.VIP)
	}
	p.r1.AwaitActive(0)
	p.r2.AwaitStepBack(from.said)
	p.holds(p.lab.R1, p.lab.R2)
	first := p.lab.Tap.Await(from.frames, time.Second, "r1's advertisement", lab.Advert(p.lab.R1))
	p.adverts(p.lab.R1, 1)
	p.measure("r1 returns, preempts r2", "Backup to first advertisement", first.Time.Sub(backup.Time),
		"Active_Down_Interval", lab.MasterDown(high), from.at)
}

// handover stops r1 in order; r2 takes over at once.
func (p *play) handover() {
	p.heading("r1 is stopped: SIGTERM")
	p.adverts(p.lab.R1, 1)
	from := p.now()
	p.add(from.at, "r1", yellow, "SIGTERM")
	if status := p.r1.Terminate(5 * time.Second); status != 0 {
		p.Errorf("r1 ended with status %d", status)
	}
	goodbye := p.lab.Tap.Await(from.frames, time.Second, "r1's priority 0", lab.AdvertOf(p.lab.R1, 0))
	p.r2.AwaitActive(from.said)
	takeover := p.lab.Tap.Await(from.frames, time.Second, "r2's advertisement", lab.AdvertOf(p.lab.R2, low))
	p.holds(p.lab.R2, p.lab.R1)
	p.adverts(p.lab.R2, 1)
	p.measure("r1 stopped, r2 takes over", "priority 0 to first", takeover.Time.Sub(goodbye.Time),
		"Skew_Time", lab.SkewTime(low), from.at)
}

// end stops r2, too, and looks for what is left.
func (p *play) end(before1, before2 lab.Snapshot) {
	p.heading("r2 is stopped, too")
	p.ping.Stop()
	p.add(time.Now(), "r2", yellow, "SIGTERM")
	if status := p.r2.Terminate(5 * time.Second); status != 0 {
		p.Errorf("r2 ended with status %d", status)
	}
	if holders := p.lab.Holders(lab.VIP); len(holders) > 0 {
		p.Errorf("%v is left behind on %v", lab.VIP, holders)
	}
	for _, n := range []struct {
		*lab.Node
		before lab.Snapshot
	}{{p.lab.R1, before1}, {p.lab.R2, before2}} {
		if diff := n.before.Diff(n.Snapshot()); diff != "" {
			p.Errorf("%s is not as it was:\n%s", n.Name, diff)
		}
	}
	p.flush()
}
