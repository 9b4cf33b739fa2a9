package ipc

import "strconv"

func name(names []string, i uint8, kind string) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return kind + " " + strconv.Itoa(int(i))
}

var (
	stateNames  = []string{"initialize", "backup", "active"}
	reasonNames = []string{"", "startup", "owner", "active-down", "active-left", "higher-priority", "higher-address",
		"shutdown", "link-down", "restored", "refused", "lease-lost"}
	dropNames = []string{"", "ip-header", "fragment", "ttl", "destination", "version", "type", "length", "checksum",
		"vrid", "count", "interval", "auth-type", "password", "digest", "no-trailer", "trailer",
		"stale", "key", "hmac", "replayed", "senders", "off-link", "adver-interval", "link-local", "address-list", "own-frame", "superseded", "inactive"}
	noticeNames  = []string{"", "interval", "addresses", "owner", "checksum", "skew", "version-2-missing", "clock-set-back", "unsigned"}
	verdictNames = []string{"none", "silent", "dropped", "alone", "stalled", "lower-priority"}
	codeNames    = []string{"", "done", "stale", "busy", "not-held", "link-down", "full", "kernel"}
)

// String and GoString keep a secret out of every log.
func (Secret) String() string   { return "secret" }
func (Secret) GoString() string { return "ipc.Secret" }

func (s State) String() string   { return name(stateNames, uint8(s), "state") }
func (r Reason) String() string  { return name(reasonNames, uint8(r), "reason") }
func (d Drop) String() string    { return name(dropNames, uint8(d), "drop") }
func (v Verdict) String() string { return name(verdictNames, uint8(v), "verdict") }
func (n Notice) String() string  { return name(noticeNames, uint8(n), "notice") }
func (c Code) String() string    { return name(codeNames, uint8(c), "code") }

func (t Type) String() string {
	if r, known := RuleOf(t); known {
		return r.Name
	}
	return "type " + strconv.Itoa(int(t))
}
