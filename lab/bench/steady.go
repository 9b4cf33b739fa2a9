package main

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// steady is an Active, or a Backup, that has nothing to do but its duty.
type steady struct {
	links, routers int
	interval       time.Duration
	window         time.Duration
}

// hogs is how many processes compute beside the daemon in rows "hogs".
const hogs = 4

// active measures an Active, or the floor beside it.
func (s steady) active(t *trial) {
	scene := t.newScene(s.links)
	v := scene.routers(s.routers, s.interval, high)
	if t.who == floor {
		s.floor(scene, v)
		return
	}
	p, late := scene.startActive(t.who, v)
	t.note("start", milliseconds(late))
	time.Sleep(settle)
	pids := tree(p)
	frames, used := s.watch(scene, pids)
	s.noteCost(t, len(frames), used)
	t.note("memory", memory(pids...))
	notePeriods(t, "period", frames, s.interval)
	if t.wants("hogs") {
		s.besideHogs(scene)
	}
	if t.wants("reload") {
		s.reload(scene, p, used)
	}
	took := stop(p)
	t.note("stop", milliseconds(took))
}

// noteCost enters what so many frames have cost.
func (s steady) noteCost(t *trial, frames int, used time.Duration) {
	if frames == 0 {
		t.Fatalf("no advertisement in %v", s.window)
	}
	t.note("cpu", milliseconds(used)*1000/float64(frames))
	t.note("cpu-per-router", milliseconds(used)*1000/s.window.Seconds()/float64(s.routers))
}

// watch waits for a window, and returns r1's advertisements in it and what
// processes have needed.
func (s steady) watch(scene *scene, pids []int) (frames []record, used time.Duration) {
	scene.wire.forget()
	before, from := processor(pids...), time.Now()
	time.Sleep(s.window)
	used, to := processor(pids...)-before, time.Now()
	return of(between(scene.wire.read(), from, to), advert, scene.r1...), used
}

// floor sends the same frames with the least that there can be around the
// system call.
func (s steady) floor(scene *scene, v virtualRouters) {
	var frames [][]byte
	v.each(func(l link, vrid int, _ string) { frames = append(frames, v.advertisement(scene.R1, l, vrid).good()) })
	p := scene.startSender(scene.R1, scene.links[0].device, max(1, int(int64(len(frames))*int64(time.Second)/int64(s.interval))), frames)
	time.Sleep(time.Second)
	scene.wire.forget()
	before, from := processor1(p.PID), time.Now()
	time.Sleep(s.window)
	used := processor1(p.PID) - before
	sent := of(between(scene.wire.read(), from, time.Now()), advert, scene.r1...)
	s.noteCost(scene.trial, len(sent), used)
}

// notePeriods enters how far the periods are from the interval.
func notePeriods(t *trial, name string, frames []record, interval time.Duration) {
	d := deviations(frames, interval)
	t.note(name+"/p99", quantile(d, 0.99))
	t.note(name+"/p99.9", quantile(d, 0.999))
	t.note(name+"/max", quantile(d, 1))
}

// besideHogs measures the periods while others want the processors.
func (s steady) besideHogs(scene *scene) {
	var all []*lab.Process
	for range hogs {
		all = append(all, scene.Client.Launch("env", "GOMAXPROCS=1", self(), hogMode))
	}
	time.Sleep(time.Second)
	frames, _ := s.watch(scene, nil)
	notePeriods(scene.trial, "hogs", frames, s.interval)
	for _, h := range all {
		h.Kill()
	}
	time.Sleep(time.Second)
}

// reload has the daemon read its configuration again, in which nothing has
// changed. What it needs anyway in that time does not count.
func (s steady) reload(scene *scene, p *lab.Process, usual time.Duration) {
	pids := tree(p)
	before, from := processor(pids...), time.Now()
	scene.wire.forget()
	time.Sleep(s.interval * 3 / 2) // so that the gap across the reload is seen from its beginning
	p.Signal(syscall.SIGHUP)
	time.Sleep(max(3*time.Second, 3*s.interval))
	used, lasted := processor(pids...)-before, time.Since(from)
	frames := of(scene.wire.read(), advert, scene.r1...)
	if all := gaps(frames); len(all) > 0 {
		scene.note("reload/gap", float64(slices.Max(all))/float64(s.interval))
	}
	scene.note("reload/cpu", milliseconds(used-time.Duration(float64(usual)*float64(lasted)/float64(s.window))))
}

// backup measures a Backup that hears keepalived.
func (s steady) backup(t *trial) {
	scene := t.newScene(s.links)
	scene.startActive(keepalived, scene.routers(s.routers, s.interval, high))
	p := scene.startBackup(t.who, scene.routers(s.routers, s.interval, low))
	time.Sleep(settle)
	frames, used := s.watch(scene, tree(p))
	if n := len(of(scene.wire.records, advert, scene.r2...)); n > 0 {
		t.Fatalf("%s as Backup advertises: %d times", t.who, n)
	}
	s.noteCost(t, len(frames), used)
}

// advertisement is what a node would send.
func (v virtualRouters) advertisement(n *lab.Node, l link, vrid int) advertisement {
	return advertisement{source: parseMAC(n.MAC), from: n.Addr, address: address(l, vrid), vrid: uint8(vrid), priority: uint8(v.priority), interval: v.interval}
}

// String is how rows call it.
func (s steady) String() string {
	interval := fmt.Sprintf("%dms", s.interval.Milliseconds())
	if s.interval%time.Second == 0 {
		interval = fmt.Sprintf("%ds", s.interval/time.Second)
	}
	return fmt.Sprintf("%dx%s", s.routers, interval)
}
