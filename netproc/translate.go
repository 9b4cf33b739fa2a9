package netproc

import (
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
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

func stateChange(a engine.StateChanged) ipc.StateChange {
	return ipc.StateChange{From: state(a.From), To: state(a.To), Reason: reason(a.Reason), Peer: a.Peer, Priority: a.Priority}
}

func state(s engine.State) ipc.State {
	switch s {
	case engine.Backup:
		return ipc.Backup
	case engine.Active:
		return ipc.Active
	default:
		return ipc.Initialize
	}
}

func reason(r engine.Reason) ipc.Reason {
	switch r {
	case engine.Started:
		return ipc.ReasonStartup
	case engine.OwnerStarted:
		return ipc.ReasonOwner
	case engine.ActiveDown:
		return ipc.ReasonActiveDown
	case engine.ActiveLeft:
		return ipc.ReasonActiveLeft
	case engine.HigherPriority:
		return ipc.ReasonHigherPriority
	case engine.HigherAddress:
		return ipc.ReasonHigherAddress
	case engine.ShutDown:
		return ipc.ReasonShutdown
	case engine.LinkDown:
		return ipc.ReasonLinkDown
	case engine.Restored:
		return ipc.ReasonRestored
	case engine.AcquireRefused:
		return ipc.ReasonRefused
	case engine.LeaseLost:
		return ipc.ReasonLeaseLost
	default:
		return 0
	}
}

// dropOf is the reason to discard a packet with a problem.
func dropOf(p wire.Problem) ipc.Drop {
	switch p {
	case wire.ProblemIPHeader:
		return ipc.DropIPHeader
	case wire.ProblemFragment:
		return ipc.DropFragment
	case wire.ProblemVersion:
		return ipc.DropVersion
	case wire.ProblemType:
		return ipc.DropType
	case wire.ProblemLength:
		return ipc.DropLength
	case wire.ProblemChecksum:
		return ipc.DropChecksum
	default:
		return 0
	}
}
