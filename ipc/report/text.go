package report

import "github.com/rvrrpd/rvrrpd/ipc"

var (
	stateNames  = []string{"initialize", "backup", "active"}
	reasonNames = []string{"", "startup", "owner", "active-down", "active-left", "higher-priority", "higher-address",
		"shutdown", "link-down", "restored", "refused", "lease-lost"}
	dropNames = []string{"", "ip-header", "fragment", "ttl", "destination", "version", "type", "length", "checksum",
		"vrid", "count", "interval", "auth-type", "password", "digest", "no-trailer", "trailer",
		"stale", "key", "hmac", "replayed", "senders", "off-link", "adver-interval", "link-local", "address-list", "own-frame", "superseded", "inactive"}
	noticeNames  = []string{"", "interval", "addresses", "owner", "checksum", "skew", "version-2-missing", "clock-set-back", "unsigned"}
	verdictNames = []string{"none", "silent", "dropped", "alone", "stalled", "lower-priority"}
)

func (s State) String() string   { return ipc.Name(stateNames, uint8(s), "state") }
func (r Reason) String() string  { return ipc.Name(reasonNames, uint8(r), "reason") }
func (d Drop) String() string    { return ipc.Name(dropNames, uint8(d), "drop") }
func (v Verdict) String() string { return ipc.Name(verdictNames, uint8(v), "verdict") }
func (n Notice) String() string  { return ipc.Name(noticeNames, uint8(n), "notice") }
