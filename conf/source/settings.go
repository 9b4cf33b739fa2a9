package source

import (
	"strconv"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
)

// form is the way a setting is written.
type form uint8

const (
	integerForm form = iota
	// secondsForm is a number of seconds, with at most two decimals.
	secondsForm
	booleanForm
	// choiceForm is one of a few values, of any scalar kind.
	choiceForm
	stringForm
	// stringsForm is a list of strings.
	stringsForm
	// listForm is a string or a list of strings.
	listForm
	tableForm
	// tablesForm is an array of tables.
	tablesForm
)

// scalar tells whether a setting of this form is one value.
func (f form) scalar() bool { return f <= stringForm }

// setting is what is known about one key.
type setting struct {
	// key is the dotted path: vrouter.priority.
	key  string
	form form
	// initial is the default as TOML writes it; "" where there is none.
	initial string
	// min and max bound an integer, and the entries of a list.
	min, max int64
	// choices are the values of a choice as TOML writes them.
	choices []string
	// check tells whether a string is valid; accepted says what it accepts.
	check    func(string) bool
	accepted string
	// explain is a check that says what is wrong, "" for nothing.
	explain func(string) string
	// required: a table of this kind must have the key.
	required bool
	// idle says why the key has no effect: rVRRPd has it, and a file with it
	// is not refused.
	idle string
	// secret: no error may repeat the value.
	secret bool
}

// Specification constants.
const (
	minVRID, maxVRID         = 1, 255     // RFC 3768 §5.3.2; 0 is no virtual router
	minPriority, maxPriority = 1, 255     // RFC 3768 §5.3.4; 0 resigns, 255 owns
	minAdvert, maxAdvert     = 100, 25500 // RFC 3768 §5.3.7: whole seconds, here in hundredths
	minAdvert3, maxAdvert3   = 1, 4095    // RFC 9568 §5.2.7: hundredths of a second
	ownerPriority            = 255
)

// Implementation constants: the bounds of what rVRRPd hands to the kernel.
const (
	maxMetric = 1<<15 - 1
	maxMTU    = 1<<16 - 1
	maxPace   = 100     // hundredths of a second
	maxDelay  = 100_000 // hundredths of a second, as keepalived's
)

// Words for what several settings accept.
const (
	acceptedPath    = "a path, relative to working_dir unless it begins with /"
	acceptedFull    = "a path that begins with /"
	acceptedDevice  = "1 to 15 letters, digits, '.', '_', '@' and '-'; not \".\", \"..\", \"all\", \"default\", \"lo\""
	acceptedUser    = "a user other than root, of letters, digits, '_', '-' and '.', or by numbers as in \"65534:65534\"; \"\" for rvrrpd, or nobody where that does not exist"
	acceptedVIP     = "unicast addresses of one family, each with or without a prefix length, as in \"192.0.2.1/24\" or \"2001:db8::1/64\""
	acceptedAdvert  = "1..255 in whole seconds with version = 2; 0.01..40.95 in steps of 0.01 with version = 3 and \"2+3\""
	acceptedDelay   = "0..1000 in steps of 0.01"
	acceptedPace    = "0..1 in steps of 0.01"
	acceptedNetwork = "an IPv4 network, with mask or as in \"10.0.0.0/8\", or an IPv6 network as in \"2001:db8::/32\""
	acceptedNextHop = "a unicast address of the family of the route"
	acceptedMask    = "an IPv4 network mask, as in \"255.255.255.0\""
	acceptedSecret  = "at least one character"
	acceptedShared  = "up to 4096 bytes, " + acceptedPlace
	acceptedPlace   = "\"file:\" and a path that begins with /, or \"credential:\" and a name"
	acceptedKey     = "32..64 bytes: " + acceptedHex + ", printable ASCII characters, " + acceptedPlace
	acceptedKeyText = "32..64 bytes: " + acceptedHex + ", or printable ASCII characters"
	acceptedHex     = "\"hex:\" and 64 to 128 hexadecimal digits"
)

// noAPI is why the keys of rVRRPd's interface for clients have no effect.
const noAPI = "there is no interface for clients, and no port is opened"

// settings is the one table of keys, forms, ranges and defaults. It drives
// validation and defaults, and docs/configuration.md is tested against it.
var settings = []setting{
	{key: "debug", form: integerForm, initial: "0", min: 0, max: 5},
	{key: "time_zone", form: choiceForm, initial: `"local"`, choices: []string{`"local"`, `"utc"`}},
	{key: "time_format", form: choiceForm, initial: `"disabled"`, choices: []string{`"disabled"`, `"short"`, `"rfc2822"`, `"rfc3339"`}},
	{key: "log_format", form: choiceForm, initial: `"text"`, choices: []string{`"text"`, `"json"`}},
	{key: "pid", form: stringForm, initial: `"/var/run/rvrrpd.pid"`, check: conf.IsPath, accepted: acceptedPath},
	{key: "working_dir", form: stringForm, initial: `"/tmp"`, check: conf.IsFullPath, accepted: acceptedFull},
	{key: "main_log", form: stringForm, initial: `"/var/log/rvrrpd.log"`, check: conf.IsPath, accepted: acceptedPath},
	{key: "error_log", form: stringForm, initial: `"/var/log/rvrrpd-error.log"`, check: conf.IsPath, accepted: acceptedPath},
	{key: "user", form: stringForm, initial: `""`, check: conf.IsUser, accepted: acceptedUser},
	{key: "state_dir", form: stringForm, initial: `"/var/lib/rvrrpd"`, check: conf.IsFullPath, accepted: acceptedFull},
	{key: "lease", form: choiceForm, initial: `"auto"`, choices: []string{`"auto"`, `"lifetime"`, `"nftables"`, `"off"`}},
	{key: "insecure_secrets", form: booleanForm, initial: "false"},
	{key: "client_api", form: stringForm, accepted: "any text", idle: noAPI},
	{key: "verbose", form: integerForm, min: 0, max: 255, idle: "rVRRPd has debug in its place"},

	{key: "vrouter", form: tablesForm, required: true},
	{key: "vrouter.group", form: integerForm, min: minVRID, max: maxVRID, required: true},
	{key: "vrouter.interface", form: stringForm, check: conf.IsDevice, accepted: acceptedDevice, required: true},
	{key: "vrouter.vip", form: listForm, min: 1, max: conf.MaxAddresses, accepted: acceptedVIP, required: true},
	{key: "vrouter.version", form: choiceForm, choices: []string{"2", "3", `"2+3"`}},
	{key: "vrouter.checksum", form: choiceForm, initial: `"auto"`, choices: []string{`"auto"`, `"rfc9568"`, `"rfc5798"`}},
	{key: "vrouter.priority", form: integerForm, initial: "100", min: minPriority, max: maxPriority},
	{key: "vrouter.owner", form: choiceForm, initial: `"auto"`, choices: []string{`"auto"`, "true", "false"}},
	{key: "vrouter.preemption", form: booleanForm, initial: "false"},
	{key: "vrouter.preempt_delay", form: secondsForm, initial: "0", accepted: acceptedDelay},
	{key: "vrouter.startup_delay", form: secondsForm, initial: "0", accepted: acceptedDelay},
	{key: "vrouter.link_up_delay", form: secondsForm, initial: "0", accepted: acceptedDelay},
	{key: "vrouter.accept_mode", form: booleanForm, initial: "true"},
	{key: "vrouter.strict", form: booleanForm, initial: "false"},
	{key: "vrouter.timers", form: tableForm},
	{key: "vrouter.timers.advert", form: secondsForm, initial: "1", accepted: acceptedAdvert},
	{key: "vrouter.garp", form: tableForm},
	{key: "vrouter.garp.repeat", form: integerForm, initial: "5", min: 1, max: 20},
	{key: "vrouter.garp.delay", form: integerForm, initial: "5", min: 0, max: 255},
	{key: "vrouter.garp.refresh", form: integerForm, initial: "0", min: 0, max: 86400},
	{key: "vrouter.garp.interval", form: secondsForm, initial: "0", accepted: acceptedPace},
	{key: "vrouter.na", form: tableForm},
	{key: "vrouter.na.repeat", form: integerForm, initial: "5", min: 1, max: 20},
	{key: "vrouter.na.delay", form: integerForm, initial: "5", min: 0, max: 255},
	{key: "vrouter.na.refresh", form: integerForm, initial: "0", min: 0, max: 86400},
	{key: "vrouter.na.interval", form: secondsForm, initial: "0", accepted: acceptedPace},
	{key: "vrouter.iftype", form: choiceForm, initial: `"ether"`, choices: []string{`"ether"`, `"macvlan"`}},
	{key: "vrouter.vifname", form: stringForm, check: conf.IsDevice, accepted: acceptedDevice},
	{key: "vrouter.ether_mac", form: booleanForm, initial: "false"},
	{key: "vrouter.netdrv", form: choiceForm, initial: `"libnl"`, choices: []string{`"libnl"`, `"ioctl"`, `"ioctls"`}},
	{key: "vrouter.socket_filter", form: booleanForm, initial: "true"},
	{key: "vrouter.rfc3768", form: booleanForm, initial: "true", idle: "the addresses of the interface are never advertised"},
	{key: "vrouter.auth_type", form: choiceForm, initial: `"none"`, choices: []string{
		`"none"`, `"rfc2338-simple"`, `"p0-t8-sha256"`, `"p1-b8-shake256"`, `"p1-t8-shake256"`, `"hmac"`, "0"}},
	{key: "vrouter.auth_secret", form: stringForm, explain: sharedProblem, accepted: acceptedShared, secret: true},
	{key: "vrouter.hmac", form: tableForm},
	{key: "vrouter.hmac.active_key", form: integerForm, min: 1, max: 255, required: true},
	{key: "vrouter.hmac.anti_replay", form: choiceForm, initial: `"time"`, choices: []string{`"time"`, `"monotonic"`}},
	{key: "vrouter.hmac.time_window", form: integerForm, min: 1, max: 300},
	{key: "vrouter.hmac.mode", form: choiceForm, initial: `"enforce"`, choices: []string{`"receive-only"`, `"permissive"`, `"enforce"`}},
	{key: "vrouter.hmac.key", form: tablesForm, required: true},
	{key: "vrouter.hmac.key.id", form: integerForm, min: 1, max: 255, required: true},
	{key: "vrouter.hmac.key.value", form: stringForm, explain: keyProblem, accepted: acceptedKey, required: true, secret: true},

	{key: "protocols", form: tableForm},
	{key: "protocols.static", form: tablesForm},
	{key: "protocols.static.route", form: stringForm, check: isNetwork, accepted: acceptedNetwork, required: true},
	{key: "protocols.static.mask", form: stringForm, check: isMask, accepted: acceptedMask},
	{key: "protocols.static.nh", form: stringForm, check: isNextHop, accepted: acceptedNextHop, required: true},
	{key: "protocols.static.metric", form: integerForm, initial: "0", min: 0, max: maxMetric},
	{key: "protocols.static.mtu", form: integerForm, initial: "0", min: 0, max: maxMTU},

	{key: "api", form: tableForm, idle: noAPI},
	{key: "api.users", form: stringsForm, check: isNotEmpty, accepted: "a list of accounts as rvrrpd-pw writes them", max: 1000, secret: true},
	{key: "api.secret", form: stringForm, check: isNotEmpty, accepted: acceptedSecret, secret: true},
	{key: "api.host", form: stringForm, initial: `"0.0.0.0:7080"`, check: isAddrPort, accepted: "an IP address and a port, as in \"0.0.0.0:7080\""},
	{key: "api.tls", form: booleanForm, initial: "false"},
	{key: "api.key", form: stringForm, initial: `"/etc/rvrrpd/ssl/key.pem"`, check: conf.IsPath, accepted: acceptedPath},
	{key: "api.tls_key", form: stringForm, check: conf.IsPath, accepted: acceptedPath},
	{key: "api.tls_cert", form: stringForm, check: conf.IsPath, accepted: acceptedPath},
	{key: "api.cert", form: stringForm, initial: `"/etc/rvrrpd/ssl/cert.pem"`, check: conf.IsPath, accepted: acceptedPath},
}

// byKey finds a setting by its dotted path.
var byKey = func() map[string]*setting {
	m := make(map[string]*setting, len(settings))
	for i := range settings {
		m[settings[i].key] = &settings[i]
	}
	return m
}()

// name is the last part of the path, the key as it stands in its table.
func (s *setting) name() string {
	return s.key[strings.LastIndexByte(s.key, '.')+1:]
}

// parent is the path of the table the key stands in.
func (s *setting) parent() string {
	return s.key[:max(0, strings.LastIndexByte(s.key, '.'))]
}

// accepts says what the setting accepts.
func (s *setting) accepts() string {
	switch s.form {
	case integerForm:
		return strconv.FormatInt(s.min, 10) + ".." + strconv.FormatInt(s.max, 10)
	case booleanForm:
		return "true, false"
	case choiceForm:
		return strings.Join(s.choices, ", ")
	case tableForm:
		return "a table [" + s.key + "]"
	case tablesForm:
		return "one or more [[" + s.key + "]]"
	default:
		return s.accepted
	}
}

// keysOf returns the names of the keys of the table at the path, in the order
// of the settings.
func keysOf(path string) []string {
	var names []string
	for i := range settings {
		if settings[i].parent() == path {
			names = append(names, settings[i].name())
		}
	}
	return names
}
