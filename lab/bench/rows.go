package main

import "time"

// Units.
const (
	perThousand = "ms / 1000 adverts"
	ms          = "ms"
	mib         = "MiB"
	perSecond   = "us / s"
)

// periods are the metrics of a wire's rhythm.
func periods(name string) (all []metric) {
	for _, q := range []string{"p99", "p99.9", "max"} {
		all = append(all, metric{name + "/" + q, ms, ratio(1)})
	}
	return all
}

// actives are the experiments on an Active that only advertises; in a quick run
// some of them, once.
func actives(quick bool) []*experiment {
	const second, window = time.Second, 5 * time.Second
	active := func(runs int, s steady, metrics ...metric) *experiment {
		return newExperiment("active/"+s.String(), runs, s.active, metrics...).with(floor)
	}
	cpu := func(limit float64) metric { return metric{"cpu", perThousand, ratio(limit)} }
	memory := func(limit float64) metric { return metric{"memory", mib, atMost(limit)} }
	each := metric{"cpu-per-router", perSecond, wanted{}}
	start, end := metric{"start", ms, ratio(1)}, metric{"stop", ms, ratio(1)}
	gap, reload := metric{"reload/gap", "intervals", ratio(1)}, metric{"reload/cpu", ms, wanted{}}
	hundred := append([]metric{cpu(0.7), memory(10)}, periods("period")...)
	thousand := append([]metric{cpu(0.5), memory(13), each, start, end, gap, reload}, periods("period")...)
	if quick {
		return []*experiment{
			active(1, steady{1, 250, second / 10, window}, hundred...),
			active(1, steady{4, 1000, second, window}, thousand...),
		}
	}
	fast := append([]metric{cpu(0.7), start}, periods("period")...)
	return []*experiment{
		active(3, steady{1, 1, second, 2 * window}, cpu(1.5), memory(9), each),
		active(3, steady{1, 250, second / 10, window}, append(hundred, periods("hogs")...)...),
		active(3, steady{1, 250, second / 100, window}, cpu(0.7)),
		active(3, steady{4, 1000, second / 10, window}, append(fast, periods("hogs")...)...),
		active(3, steady{4, 1000, second, window}, append(thousand, periods("hogs")...)...),
	}
}

// backups are those on a Backup that only hears.
func backups() (all []*experiment) {
	for _, s := range []steady{{1, 250, time.Second / 10, 5 * time.Second}, {4, 1000, time.Second / 10, 5 * time.Second}, {4, 1000, time.Second, 5 * time.Second}} {
		all = append(all, newExperiment("backup/"+s.String(), 2, s.backup, metric{"cpu", perThousand, ratio(1)}))
	}
	return all
}

// takeovers are those on an Active that is killed.
func takeovers(quick bool) []*experiment {
	of := func(runs, kills, links, routers int, interval time.Duration, metrics ...metric) *experiment {
		k := takeover{steady: steady{links, routers, interval, 0}, kills: kills}
		return newExperiment("takeover/"+k.String(), runs, k.measure, metrics...)
	}
	advert, arp, last := metric{"advert", ms, ratio(1)}, metric{"arp", ms, atMost(0.15)}, metric{"last", ms, ratio(1)}
	if quick {
		return []*experiment{of(1, 5, 1, 1, time.Second/10, advert, arp)}
	}
	six := takeover{steady: steady{1, 1, time.Second / 100, 0}, kills: 5, ipv6: true}
	return []*experiment{
		of(2, 2, 1, 1, time.Second, advert, arp),
		of(3, 5, 1, 1, time.Second/10, advert, arp),
		of(3, 7, 1, 1, time.Second/100, advert, arp),
		newExperiment("takeover/"+six.String(), 3, six.measure, advert, arp),
		of(3, 1, 1, 250, time.Second, last, advert),
		of(2, 1, 4, 1000, time.Second, last, advert),
	}
}

// others are the flood, and what a gateway forwards.
func others(quick bool) []*experiment {
	rates, runs := []string{"1k", "10k", "50k", "most"}, 2
	if quick {
		rates, runs = []string{"10k"}, 1
	}
	var metrics []metric
	for _, rate := range rates {
		limit := ratio(1)
		if rate == "50k" || rate == "most" {
			limit = wanted{}
		}
		metrics = append(metrics, metric{rate + "/cpu", "% of a processor", limit}, metric{rate + "/roles", "changes", atMost(0)},
			metric{rate + "/missed", "adverts", atMost(0)}, metric{rate + "/sent", "packets / s", wanted{}})
	}
	all := []*experiment{newExperiment("flood", runs, flood(rates), metrics...)}
	roles := []string{"backup", "active"}
	if quick {
		roles = roles[1:]
	}
	for _, role := range roles {
		all = append(all, newExperiment("forward", 2*runs-1, forward(role), metric{role, "%", atLeast(99)}, metric{role + "/packets", "packets / s", wanted{}}))
	}
	return all
}

// growths are the experiments on numbers of virtual routers that no other has.
func growths() (all []*experiment) {
	for _, s := range []steady{{1, 10, time.Second, 10 * time.Second}, {1, 100, time.Second, 5 * time.Second}, {16, 4000, time.Second, 5 * time.Second}} {
		all = append(all, newExperiment("growth/"+s.String(), 1, s.active, metric{"cpu-per-router", perSecond, wanted{}}, metric{"memory", mib, wanted{}}))
	}
	return all
}

// experiments are all, in their order.
func experiments(quick bool) []*experiment {
	all := append(actives(quick), takeovers(quick)...)
	if !quick {
		all = append(all, backups()...)
	}
	all = append(all, others(quick)...)
	if !quick {
		all = append(all, growths()...)
	}
	return all
}
