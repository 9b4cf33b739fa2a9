package netproc

import (
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// The borders between ipc, engine and wire, one value at a time. What has no
// counterpart becomes zero, which no message accepts; a test shows that
// every value has one.

func engineConfig(m ipc.Router) engine.Config {
	return engine.Config{
		Version: engine.Version(m.Version), Priority: m.Priority,
		AdverInterval: time.Duration(m.AdverInterval), PreemptMode: m.PreemptMode,
		PreemptDelay: time.Duration(m.PreemptDelay), StartupDelay: time.Duration(m.StartupDelay),
		AnnounceRepeat: m.AnnounceRepeat, AnnounceDelay: time.Duration(m.AnnounceDelay),
	}
}

func stateChange(a engine.StateChanged) report.StateChange {
	return report.StateChange{From: state(a.From), To: state(a.To), Reason: reason(a.Reason), Peer: a.Peer, Priority: a.Priority}
}

func state(s engine.State) report.State {
	switch s {
	case engine.Backup:
		return report.Backup
	case engine.Active:
		return report.Active
	default:
		return report.Initialize
	}
}

func reason(r engine.Reason) report.Reason {
	switch r {
	case engine.Started:
		return report.ReasonStartup
	case engine.OwnerStarted:
		return report.ReasonOwner
	case engine.ActiveDown:
		return report.ReasonActiveDown
	case engine.ActiveLeft:
		return report.ReasonActiveLeft
	case engine.HigherPriority:
		return report.ReasonHigherPriority
	case engine.HigherAddress:
		return report.ReasonHigherAddress
	case engine.ShutDown:
		return report.ReasonShutdown
	case engine.LinkDown:
		return report.ReasonLinkDown
	case engine.Restored:
		return report.ReasonRestored
	case engine.AcquireRefused:
		return report.ReasonRefused
	case engine.LeaseLost:
		return report.ReasonLeaseLost
	default:
		return 0
	}
}

// dropOf is the reason to discard a packet with a problem.
func dropOf(p wire.Problem) report.Drop {
	switch p {
	case wire.ProblemIPHeader:
		return report.DropIPHeader
	case wire.ProblemFragment:
		return report.DropFragment
	case wire.ProblemVersion:
		return report.DropVersion
	case wire.ProblemType:
		return report.DropType
	case wire.ProblemLength:
		return report.DropLength
	case wire.ProblemChecksum:
		return report.DropChecksum
	default:
		return 0
	}
}
