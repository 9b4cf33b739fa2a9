package engine_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/capture/captures"
	"github.com/rvrrpd/rvrrpd/engine"
)

// captured is what real routers advertised, and when, as input of FuzzStep: for
// each of their virtual routers one of ours that hears it, with a lower
// priority and with a higher one, and then hears no more.
func captured(t testing.TB) (inputs [][]byte) {
	t.Helper()
	const ethernet, vrrp = 14, 112
	type virtualRouter struct{ capture, version, vrid string }
	heard, last := make(map[virtualRouter][]byte), make(map[virtualRouter]time.Time)
	for name, records := range captures.Read(t, "../netproc/wire/testdata") {
		for _, r := range records {
			ip := r.Frame[ethernet:]
			header, protocol := int(ip[0]&0xf)*4, ip[9]
			if ip[0]>>4 == 6 {
				header, protocol = 40, ip[6]
			}
			if protocol != vrrp || binary.BigEndian.Uint16(r.Frame[12:]) == 0x0806 {
				continue
			}
			m := ip[header:]
			vr := virtualRouter{name, string(m[:1]) + string(ip[:1]), string(m[1:2])}
			centiseconds := int(binary.BigEndian.Uint16(m[4:]) & 0xfff)
			flags, interval := byte(2), byte(centiseconds-1)
			if m[0]>>4 == 2 {
				flags, interval, centiseconds = 3, m[5], int(m[5])*100
			}
			if heard[vr] == nil {
				heard[vr], last[vr] = []byte{flags, 0, interval, 0, 0, 0, 0, 0, 1}, r.Time
			}
			gap := min(r.Time.Sub(last[vr])/(100*time.Microsecond), 0xffff)
			last[vr] = r.Time
			heard[vr] = append(heard[vr], 4, byte(gap>>8), byte(gap), m[2], byte((centiseconds+40)/17))
		}
	}
	for _, input := range heard {
		for _, priority := range []byte{100, 254} {
			one := append([]byte(nil), input...)
			one[1] = priority
			inputs = append(inputs, append(one, 0x13, 0, 0, 0, 0, 0x13, 0, 0, 0, 0, 1, 0, 0, 0, 0))
		}
	}
	return inputs
}

// FuzzStep drives one virtual router with any sequence of events, instants
// only going forward except for the arrival of advertisements, which a step of
// the wall clock may put anywhere in the past, and holds every step against the
// monitor.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{1, 100, 1, 0, 0, 0, 0, 0, 0, 3, 0, 40, 0, 0, 4, 0, 1, 200, 2})
	f.Add([]byte{3, 255, 9, 0, 0, 0, 0, 0, 0, 4, 5, 0, 255, 1, 4, 5, 0, 255, 2, 3, 200, 0, 0, 0})
	f.Add([]byte{7, 1, 200, 0, 0, 0, 0, 0, 0, 3, 255, 255, 0, 0, 6, 1, 0, 0, 0, 3, 255, 255, 0, 0, 4, 1, 0, 0, 1})
	f.Add([]byte{2, 50, 2, 0, 5, 0, 0, 0, 0, 4, 0, 200, 50, 9, 4, 0, 1, 0, 9, 7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0})
	// A start that waits, is called off and comes; an Active that is borne and
	// then is not; a goodbye while one is borne, and one from the past.
	f.Add([]byte{2, 100, 9, 0x20, 0, 0, 0, 0, 1, 3, 0, 200, 0, 0, 2, 0, 0, 0, 0, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x13, 0, 0, 0, 0})
	f.Add([]byte{2, 100, 9, 0x03, 0, 0, 0, 0, 1, 4, 0, 200, 50, 9, 4, 8, 0, 50, 9, 4, 8, 0, 50, 9, 0x13, 0, 0, 0, 0})
	f.Add([]byte{2, 100, 9, 0x0f, 0, 0, 0, 0, 1, 4, 0, 200, 50, 9, 4, 0, 9, 0, 9, 4, 0, 9, 60, 8, 0x24, 1, 0, 0, 8, 0x64, 9, 9, 200, 7, 0x13, 0, 0, 0, 0})
	for _, input := range captured(f) {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		vr, step := monitored(t, fuzzConfig(data[0], data[1], data[2], data[3]))
		now := engine.Instant(0)
		for data = data[4:]; len(data) >= 5; data = data[5:] {
			kind, delay := data[0], time.Duration(data[1])<<8|time.Duration(data[2])
			now = now.Add(delay * 100 * time.Microsecond)
			at := now
			if kind&0x10 != 0 { // at the deadline, where that is ahead
				if due, _, ok := vr.Deadline(); ok && due > now {
					now, at = due, due
				}
			}
			ev := fuzzEvent(kind&0xf, data[3], data[4])
			if _, ok := ev.(engine.Advertisement); ok && kind&0x20 != 0 {
				unit := time.Microsecond
				if kind&0x40 != 0 {
					unit = time.Millisecond
				}
				at = at.Add(-delay * unit)
			}
			step(at, ev)
		}
	})
}

func fuzzConfig(flags, priority, interval, delays byte) engine.Config {
	c := engine.Config{
		Version: engine.V3, Priority: max(priority, 1), PreemptMode: flags&2 != 0,
		AdverInterval:  time.Duration(int(interval)+1) * 10 * time.Millisecond,
		AnnounceRepeat: flags >> 2 & 3, AnnounceDelay: time.Duration(flags>>4) * 250 * time.Millisecond,
	}
	if flags&1 != 0 {
		c.Version, c.AdverInterval = engine.V2, max(time.Duration(interval), 1)*time.Second
	}
	c.PreemptDelay = time.Duration(delays&0xf) * c.AdverInterval
	c.StartupDelay = time.Duration(delays>>4) * c.AdverInterval
	return c
}

func fuzzEvent(kind, a, b byte) engine.Event {
	addr := netip.AddrFrom4([4]byte{192, 0, 2, b})
	switch kind {
	case 0:
		return engine.Startup{Primary: addr}
	case 1:
		return engine.Shutdown{}
	case 2:
		return engine.InterfaceDown{}
	case 3:
		return engine.Tick{}
	case 5:
		return engine.Restore{Primary: addr}
	case 6:
		return engine.Refused{}
	case 7:
		return engine.Revoked{}
	case 8:
		return engine.Missed{Until: engine.Instant(time.Duration(a)<<8|time.Duration(b)) * engine.Instant(time.Millisecond)}
	}
	return engine.Advertisement{
		Source: addr, Priority: a, AdverInterval: time.Duration(int(b)*17-40) * 10 * time.Millisecond,
	}
}
