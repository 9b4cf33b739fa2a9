package engine

// stepInitialize is RFC 9568 §6.4.1: it waits for Startup. Restore stands
// beside it, for a virtual router whose addresses were held all along.
func (vr *VirtualRouter) stepInitialize(now Instant, ev Event, actions []Action) []Action {
	switch ev := ev.(type) {
	case Startup:
		vr.setPrimary(ev.Primary)
		return vr.startup(now, actions)
	case Restore:
		vr.setPrimary(ev.Primary)
		return vr.restore(now, actions)
	}
	return actions
}

// startup is (100)..(175) of RFC 9568 §6.4.1.
func (vr *VirtualRouter) startup(now Instant, actions []Action) []Action {
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
	actions = vr.becomeActive(now, actions)
	if vr.config.AnnounceRepeat > 0 {
		actions = append(actions, Announce{Repeat: 1})
	}
	return append(actions, StateChanged{From: Initialize, To: Active, Reason: Restored})
}
