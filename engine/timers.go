package engine

import "time"

// Implementation constants.
const (
	// maxSlots is the number of slots in an interval, at the most and where
	// Config does not say: advertisements fall on multiples of a slot, so that
	// many virtual routers fall due in one turn, and the first period is at
	// most one slot short.
	maxSlots = 100
	// answerSlots is the least distance between two answers, in slots of that
	// kind: long enough to make a storm harmless, short against any Skew_Time that
	// a lower-priority Backup could wait after a priority-0 advertisement.
	answerSlots = maxSlots / 10
	// maxHoldOff bounds the doublings of the time to hold back after a
	// refusal: 32 Active_Down_Intervals, two minutes at the default interval.
	maxHoldOff = 5
)

// timer is a timer as a value: it fires when it runs and at has come.
type timer struct {
	at      Instant
	running bool
}

func timerAt(at Instant) timer { return timer{at: at, running: true} }

func (t timer) due(now Instant) bool { return t.running && now >= t.at }

// skewTime returns Skew_Time: in version 3
// ((256 - Priority) * Active_Adver_Interval) / 256 (RFC 9568 §6.1), in
// version 2 (256 - Priority) / 256 seconds (RFC 3768 §6.1), both to the
// nanosecond.
func (vr *VirtualRouter) skewTime() time.Duration {
	unit := vr.activeAdverInterval
	if vr.config.Version == V2 {
		unit = time.Second
	}
	return (256 - time.Duration(vr.config.Priority)) * unit / 256
}

// activeDownInterval returns Active_Down_Interval,
// 3 * Active_Adver_Interval + Skew_Time (RFC 9568 §6.1).
func (vr *VirtualRouter) activeDownInterval() time.Duration {
	return 3*vr.activeAdverInterval + vr.skewTime()
}

// learn sets Active_Adver_Interval to what the Active advertises (RFC 9568
// §6.4.2). Version 2 knows only the configured interval. An interval that
// cannot stand in an advertisement is not learned.
func (vr *VirtualRouter) learn(interval time.Duration) {
	if vr.config.Version == V2 || interval < minAdverIntervalV3 || interval > maxAdverIntervalV3 {
		return
	}
	vr.activeAdverInterval = interval
}

// slot returns the width of a slot of the interval, if that has so many.
func (vr *VirtualRouter) slot(slots int) time.Duration {
	return vr.config.AdverInterval / time.Duration(slots)
}

// onGrid returns the beginning of the slot that at is in. Each interval begins with one, also where
// it is no multiple of a slot: else those that are set at different times would drift apart.
func (vr *VirtualRouter) onGrid(at Instant, slots int) Instant {
	interval := Instant(vr.config.AdverInterval)
	past := at % interval
	if past < 0 {
		past += interval
	}
	return at - past%Instant(vr.slot(slots))
}

// nextPeriod returns the first deadline after now on the schedule of period
// interval that deadline belongs to: one interval on, or more where whole
// periods were missed. Missed advertisements are not made up for.
func nextPeriod(deadline, now Instant, interval time.Duration) Instant {
	missed := now.Sub(deadline) / interval
	return deadline.Add((missed + 1) * interval)
}
