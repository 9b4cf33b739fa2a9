package engine

// Configure takes over another configuration at the instant now and appends
// what that wants done to actions. The state stays as it is, but for a Backup
// that becomes the owner of the addresses; timers are set as if the new
// configuration had been there all along.
//
// An Active advertises at once: a Backup that has learned a shorter interval
// would not wait for the next advertisement. Other slots alone are no reason to.
func (vr *VirtualRouter) Configure(now Instant, c Config, actions []Action) []Action {
	c = c.bounded()
	vr.config.Slots = c.Slots // for the next time that the Adver_Timer is set anew
	if c == vr.config {
		return actions
	}
	old := *vr
	vr.config = c
	vr.advertise = SendAdvertisement{Priority: c.Priority}
	vr.announce = Announce{Repeat: c.AnnounceRepeat}
	switch vr.state {
	case Active:
		vr.activeAdverInterval = c.AdverInterval
		vr.nextAnswer = now
		if c.AnnounceRepeat == 0 {
			vr.announceAgain = timer{}
		}
		return vr.advertiseNow(now, actions)
	case Backup:
		if c.Priority == PriorityOwner {
			return vr.takeOver(now, OwnerStarted, actions)
		}
		vr.reconsider(&old)
	default:
		vr.activeAdverInterval = c.AdverInterval
		vr.mayStart.at = vr.mayStart.at.Add(c.StartupDelay - old.config.StartupDelay)
	}
	return actions
}

// reconsider moves the timers of a Backup by what its configuration has
// changed. What it has learned of an Active in version 3 it still knows; an
// interval that was our own is our new one.
func (vr *VirtualRouter) reconsider(old *VirtualRouter) {
	if vr.config.Version == V2 || old.config.Version == V2 || vr.activeAdverInterval == old.config.AdverInterval {
		vr.activeAdverInterval = vr.config.AdverInterval
	}
	longer := vr.activeDownInterval() - old.activeDownInterval()
	if vr.leaving {
		longer = vr.skewTime() - old.skewTime()
	}
	vr.activeDown.at = vr.activeDown.at.Add(longer)
	vr.bearing.at = vr.bearing.at.Add(vr.config.PreemptDelay - old.config.PreemptDelay)
}
