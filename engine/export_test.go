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
	add("active-down", vr.activeDown)
	add("adver", vr.adver)
	add("announce-again", vr.announceAgain)
	if vr.state == Backup && vr.activeAdverInterval != vr.config.AdverInterval {
		fmt.Fprintf(&b, " learned=%s", vr.activeAdverInterval)
	}
	return b.String()
}
