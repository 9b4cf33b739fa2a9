package parent

import "github.com/rvrrpd/rvrrpd/parent/kernel"

// installRoute installs a route of ours.
func (b *broker) installRoute(r kernel.Route) error { return kernel.AddRoute(r) }

// removeRoute removes one of ours, or of a dead daemon's.
func (b *broker) removeRoute(r kernel.Route) error { return kernel.DeleteRoute(r) }
