package engine

// stepBackup is RFC 9568 §6.4.2: it watches the Active.
func (vr *VirtualRouter) stepBackup(now Instant, ev Event, actions []Action) []Action {
	switch ev := ev.(type) {
	case Shutdown:
		return vr.becomeInitialize(ShutDown, actions)
	case InterfaceDown:
		return vr.becomeInitialize(LinkDown, actions)
	case Tick:
		if vr.activeDown.due(now) {
			return vr.takeOver(now, vr.activeDownReason(), actions)
		}
	case Missed:
		vr.doubt(now, ev.Until)
	case Advertisement:
		vr.backupHears(now, ev)
	}
	return actions
}

// doubt puts off a takeover that is due by one more Active_Down_Interval when
// an advertisement may have been lost since the last one that was heard: in
// that time a living Active sends three more. Once only: were each loss a
// reason to wait, a flood that never ends would keep the addresses without an
// Active for ever. So a takeover comes after twice the time at the latest,
// unless an Active is heard.
func (vr *VirtualRouter) doubt(now, until Instant) {
	if vr.doubted || until <= vr.heard || !vr.activeDown.due(now) {
		return
	}
	vr.activeDown = timerAt(now.Add(vr.activeDownInterval()))
	vr.doubted = true
}

// activeDownReason says why the Active_Down_Timer fires when it does.
func (vr *VirtualRouter) activeDownReason() Reason {
	if vr.leaving {
		return ActiveLeft
	}
	return ActiveDown
}

// backupHears is (420)..(485) of RFC 9568 §6.4.2. An advertisement older than
// the news the Active_Down_Timer runs from says nothing about the Active.
func (vr *VirtualRouter) backupHears(arrival Instant, adv Advertisement) {
	switch {
	case arrival < vr.heard:
	case adv.Priority == PriorityLeaving:
		vr.activeLeaves(arrival)
	case adv.Priority >= vr.config.Priority, !vr.config.preempts():
		vr.bearing = timer{}
		vr.follow(arrival, adv)
	case vr.bears(arrival):
		vr.follow(arrival, adv)
	}
}

// follow accepts the sender as the Active: (450) to (460) of RFC 9568 §6.4.2.
func (vr *VirtualRouter) follow(arrival Instant, adv Advertisement) {
	vr.learn(adv.AdverInterval)
	vr.activeDown = timerAt(arrival.Add(vr.activeDownInterval()))
	vr.heard, vr.doubted, vr.leaving = arrival, false, false
}

// bears reports whether the Active of lower priority heard at arrival may stay
// for now: while we hold back after a refusal, and until Config.PreemptDelay
// after the first one of its kind.
//
// The count is of advertisements of lower priority in a row, from whichever
// sender. What ends the row is that nobody of lower priority is Active any
// more: an advertisement of our priority or a higher one, or that we become
// Active ourselves (by silence or after a goodbye), or that we leave the
// protocol; so bearing is also empty whenever Backup begins. A goodbye alone
// does not end it: if another router of lower priority is quicker than we, it
// is borne for what is left, else routers that take turns could keep us away
// for ever. Nor does an advertisement that is discarded when the time is over.
func (vr *VirtualRouter) bears(arrival Instant) bool {
	if !vr.bearing.running {
		vr.bearing = timerAt(arrival.Add(vr.config.PreemptDelay))
	}
	return arrival < max(vr.bearing.at, vr.holdOff)
}

// activeLeaves sets the Active_Down_Timer to Skew_Time. Only the first
// priority-0 advertisement does: repeating it cannot hold off the takeover. But
// each is news, which an older advertisement that is read late does not undo.
func (vr *VirtualRouter) activeLeaves(arrival Instant) {
	vr.heard = arrival
	if vr.leaving {
		return
	}
	vr.activeDown = timerAt(arrival.Add(vr.skewTime()))
	vr.doubted, vr.leaving = false, true
}
