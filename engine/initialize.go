package engine

// stepInitialize is RFC 9568 §6.4.1: it waits for Startup, which itself may
// have to wait for Config.StartupDelay. Restore stands beside it, for a virtual
// router whose addresses were held all along.
func (vr *VirtualRouter) stepInitialize(now Instant, ev Event, actions []Action) []Action {
	switch ev.(type) {
	case Startup:
		vr.starting = true
	case Tick:
	case Restore:
		return vr.restore(now, actions)
	case Shutdown, InterfaceDown:
		vr.starting = false
		return actions
	default:
		return actions
	}
	if vr.starting && vr.mayStart.due(now) {
		return vr.startup(now, actions)
	}
	return actions
}

// startup is (100)..(175) of RFC 9568 §6.4.1.
func (vr *VirtualRouter) startup(now Instant, actions []Action) []Action {
	vr.starting = false
	if vr.config.Priority == PriorityOwner {
		return vr.takeOver(now, OwnerStarted, actions)
	}
	vr.activeAdverInterval = vr.config.AdverInterval
	vr.becomeBackup(now, vr.activeDownInterval())
	return append(actions, StateChanged{From: Initialize, To: Backup, Reason: Started})
}

// restore goes on as Active: an advertisement at once, before any peer's
// Active_Down_Timer fires, and one announcement of each address. Nobody needs
// the announcement unless something was lost meanwhile; it does no harm.
func (vr *VirtualRouter) restore(now Instant, actions []Action) []Action {
	vr.starting = false
	actions = vr.becomeActive(now, actions)
	if vr.config.AnnounceRepeat > 0 {
		actions = append(actions, Announce{Repeat: 1})
	}
	return append(actions, StateChanged{From: Initialize, To: Active, Reason: Restored})
}
