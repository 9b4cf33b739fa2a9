package engine

// stepBackup is RFC 9568 §6.4.2: it watches the Active.
func (vr *VirtualRouter) stepBackup(now Instant, ev Event, actions []Action) []Action {
	switch ev := ev.(type) {
	case Startup:
		vr.setPrimary(ev.Primary)
	case Restore:
		vr.setPrimary(ev.Primary)
	case Shutdown:
		return vr.becomeInitialize(ShutDown, actions)
	case InterfaceDown:
		return vr.becomeInitialize(LinkDown, actions)
	case Tick:
		if vr.activeDown.due(now) {
			return vr.takeOver(now, vr.activeDownReason(), actions)
		}
	case Advertisement:
		vr.backupHears(now, ev)
	}
	return actions
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
	case adv.Priority >= vr.config.Priority, !vr.config.preempts(), arrival < vr.holdOff:
		vr.learn(adv.AdverInterval)
		vr.activeDown = timerAt(arrival.Add(vr.activeDownInterval()))
		vr.heard, vr.leaving = arrival, false
	}
}

// activeLeaves sets the Active_Down_Timer to Skew_Time. Only the first
// priority-0 advertisement does: repeating it cannot hold off the takeover.
func (vr *VirtualRouter) activeLeaves(arrival Instant) {
	if vr.leaving {
		return
	}
	vr.activeDown = timerAt(arrival.Add(vr.skewTime()))
	vr.heard, vr.leaving = arrival, true
}
