package engine

import "time"

// Implementation constants.
const (
	// gridSlots is the number of grid slots in an interval: advertisements
	// fall on multiples of a slot, so that many virtual routers fall due in
	// one turn, and the first period is at most one slot short.
	gridSlots = 100
	// answerSlots is the least distance between two answers, in slots: long
	// enough to make a storm harmless, short against any Skew_Time that a
	// lower-priority Backup could wait after a priority-0 advertisement.
	answerSlots = gridSlots / 10
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

// slot returns the width of the advertisement grid.
func (vr *VirtualRouter) slot() time.Duration { return vr.config.AdverInterval / gridSlots }

// onGrid returns the last grid instant that is not after at.
func (vr *VirtualRouter) onGrid(at Instant) Instant {
	past := at % Instant(vr.slot())
	if past < 0 {
		past += Instant(vr.slot())
	}
	return at - past
}

// nextPeriod returns the first deadline after now on the schedule of period
// interval that deadline belongs to: one interval on, or more where whole
// periods were missed. Missed advertisements are not made up for.
func nextPeriod(deadline, now Instant, interval time.Duration) Instant {
	missed := now.Sub(deadline) / interval
	return deadline.Add((missed + 1) * interval)
}
