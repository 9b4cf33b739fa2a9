package engine

import (
	"fmt"
	"strings"
	"time"
)

// Timers describes the state and every running timer, for traces.
func (vr *VirtualRouter) Timers() string {
	var b strings.Builder
	b.WriteString(vr.state.String())
	add := func(name string, t timer) {
		if t.running {
			fmt.Fprintf(&b, " %s=%s", name, time.Duration(t.at))
		}
	}
	add("start", timer{vr.mayStart.at, vr.starting})
	add("active-down", vr.activeDown)
	add("bears-until", timer{vr.bearing.at, vr.bearing.running && vr.config.PreemptDelay > 0})
	add("adver", vr.adver)
	add("announce-again", vr.announceAgain)
	if vr.state == Backup && vr.activeAdverInterval != vr.config.AdverInterval {
		fmt.Fprintf(&b, " learned=%s", vr.activeAdverInterval)
	}
	return b.String()
}
