package engine

var stateNames = [...]string{
	Initialize: "initialize",
	Backup:     "backup",
	Active:     "active",
}

// String returns the state's name in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

var reasonNames = [...]string{
	NoReason:       "none",
	Started:        "started",
	OwnerStarted:   "owner-started",
	ActiveDown:     "active-down",
	ActiveLeft:     "active-left",
	HigherPriority: "higher-priority",
	HigherAddress:  "higher-address",
	ShutDown:       "shutdown",
	LinkDown:       "link-down",
	Restored:       "restored",
	AcquireRefused: "acquire-refused",
	LeaseLost:      "lease-lost",
}

// String returns the reason as one word in lower case, as in
// "backup->active reason=active-down".
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}
