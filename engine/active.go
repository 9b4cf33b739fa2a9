package engine

// stepActive is RFC 9568 §6.4.3: it advertises, and steps back for a better
// one. Preempt_Mode is not considered here.
func (vr *VirtualRouter) stepActive(now Instant, ev Event, actions []Action) []Action {
	switch ev := ev.(type) {
	case Shutdown:
		return vr.becomeInitialize(ShutDown, append(actions, goodbye, Release{}))
	case InterfaceDown:
		return vr.becomeInitialize(LinkDown, append(actions, Release{}))
	case Tick:
		return vr.activeTick(now, actions)
	case Advertisement:
		return vr.activeHears(now, ev, actions)
	case Refused:
		return vr.refused(now, append(actions, goodbye, Release{}))
	case Revoked:
		vr.refusals = 0
		vr.becomeBackup(now, vr.activeDownInterval())
		return append(actions, StateChanged{From: Active, To: Backup, Reason: LeaseLost})
	}
	return actions
}

// activeTick is (680)..(695) of RFC 9568 §6.4.3, on an absolute schedule, and
// the second round of announcements.
func (vr *VirtualRouter) activeTick(now Instant, actions []Action) []Action {
	if vr.adver.due(now) {
		actions = append(actions, vr.advertise)
		vr.advertised = now
		vr.adver.at = nextPeriod(vr.adver.at, now, vr.config.AdverInterval)
	}
	if vr.announceAgain.due(now) {
		actions = append(actions, vr.announce)
		vr.announceAgain = timer{}
	}
	return actions
}

// activeHears is (700)..(790) of RFC 9568 §6.4.3. Only version 3 answers an
// advertisement that loses; version 2 discards it silently.
func (vr *VirtualRouter) activeHears(arrival Instant, adv Advertisement, actions []Action) []Action {
	if adv.Priority == PriorityLeaving {
		return vr.answer(arrival, actions)
	}
	switch vr.elect(adv) {
	case senderHasPriority:
		return vr.stepBack(arrival, adv, HigherPriority, actions)
	case senderHasAddress:
		return vr.stepBack(arrival, adv, HigherAddress, actions)
	}
	if vr.config.Version == V2 {
		return actions
	}
	return vr.answer(arrival, actions)
}

// stepBack leaves the addresses to the better Active that sent adv.
func (vr *VirtualRouter) stepBack(arrival Instant, adv Advertisement, r Reason, actions []Action) []Action {
	vr.refusals = 0
	vr.learn(adv.AdverInterval)
	vr.becomeBackup(arrival, vr.activeDownInterval())
	return append(actions, Release{}, StateChanged{
		From: Active, To: Backup, Reason: r, Peer: adv.Source, Priority: adv.Priority,
	})
}

// answer tells an advertisement's sender, and the bridges that saw it, that we
// are Active, at once but never again before nextAnswer: then the Adver_Timer
// answers, brought forward once.
func (vr *VirtualRouter) answer(arrival Instant, actions []Action) []Action {
	switch {
	case arrival < vr.advertised: // our advertisement came after it
	case vr.adver.at <= max(arrival, vr.nextAnswer): // the next one is due no later
	case arrival < vr.nextAnswer:
		vr.adver.at = vr.nextAnswer
		vr.nextAnswer = vr.adver.at.Add(answerSlots * vr.slot(maxSlots))
	default:
		actions = vr.advertiseNow(arrival, actions)
		vr.nextAnswer = vr.onGrid(arrival.Add(answerSlots*vr.slot(maxSlots)), maxSlots)
	}
	return actions
}

// advertiseNow sends an advertisement out of schedule and sets the Adver_Timer
// to Advertisement_Interval, less what brings it onto the grid.
func (vr *VirtualRouter) advertiseNow(now Instant, actions []Action) []Action {
	vr.advertised = now
	vr.adver = timerAt(vr.onGrid(now.Add(vr.config.AdverInterval), vr.config.Slots))
	return append(actions, vr.advertise)
}

// refused steps back because the addresses could not be acquired. For a while
// that doubles with every refusal in a row any other Active may stay, however
// low its priority; otherwise a preempting router that cannot take over would
// interrupt the one that can again and again.
func (vr *VirtualRouter) refused(now Instant, actions []Action) []Action {
	down := vr.activeDownInterval()
	hold := down << min(vr.refusals, maxHoldOff)
	vr.refusals = min(vr.refusals+1, maxHoldOff)
	vr.becomeBackup(now, hold+down)
	vr.holdOff = now.Add(hold)
	return append(actions, StateChanged{From: Active, To: Backup, Reason: AcquireRefused})
}
