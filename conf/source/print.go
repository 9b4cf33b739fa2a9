package source

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
)

// Print writes the configuration in its canonical form: TOML with every key
// that this release supports, defaults included. Parsed again it is the same
// configuration, but for secrets, which are not written. An AdverInterval that is not
// a whole number of hundredths of a second, which no file can hold, is an error, as is
// a failure of w.
func Print(c *conf.Config, w io.Writer) error {
	p := &printer{}
	p.top(c)
	for i := range c.Routers {
		if c.Routers[i].AdverInterval%(10*time.Millisecond) != 0 {
			return fmt.Errorf("vrouter[%d].timers.advert: %v is not a whole number of hundredths of a second", i+1, c.Routers[i].AdverInterval)
		}
		p.router(&c.Routers[i])
	}
	for _, r := range c.Routes {
		p.WriteString("\n[[protocols.static]]\n")
		p.set("protocols.static.route", tomlString(r.Prefix.String()))
		p.set("protocols.static.nh", tomlString(r.NextHop.String()))
		p.set("protocols.static.metric", strconv.Itoa(r.Metric))
		p.set("protocols.static.mtu", strconv.Itoa(r.MTU))
	}
	_, err := w.Write(p.Bytes())
	return err
}

// printer writes keys by their path in the settings.
type printer struct{ bytes.Buffer }

// set writes a key with a value as TOML writes it.
func (p *printer) set(path, value string) {
	fmt.Fprintf(p, "%s = %s\n", byKey[path].name(), value)
}

// initial writes keys with their default, the only value of them that this
// release supports.
func (p *printer) initial(paths ...string) {
	for _, path := range paths {
		p.set(path, byKey[path].initial)
	}
}

// top writes the keys at the top of the file.
func (p *printer) top(c *conf.Config) {
	p.set("debug", strconv.Itoa(c.Debug))
	p.set("time_zone", tomlString(c.TimeZone))
	p.set("time_format", tomlString(c.TimeFormat))
	p.set("log_format", tomlString(c.LogFormat))
	p.set("pid", tomlString(c.PIDFile))
	p.set("working_dir", tomlString(c.WorkingDir))
	p.set("main_log", tomlString(c.MainLog))
	p.set("error_log", tomlString(c.ErrorLog))
	p.set("user", tomlString(c.User))
	p.set("state_dir", tomlString(c.StateDir))
	p.set("lease", tomlString(c.Lease))
	p.set("insecure_secrets", strconv.FormatBool(c.InsecureSecrets))
}

func (p *printer) router(v *conf.Router) {
	p.WriteString("\n[[vrouter]]\n")
	p.set("vrouter.group", strconv.Itoa(int(v.VRID)))
	p.set("vrouter.interface", tomlString(v.Interface))
	addresses, version := v.Addresses, strconv.Itoa(int(v.Version))
	if v.DerivedLinkLocal {
		addresses = addresses[1:]
	}
	if v.Migration {
		version = `"2+3"`
	}
	p.set("vrouter.vip", addressList(addresses))
	p.set("vrouter.version", version)
	if v.Version != 2 && v.Addresses[0].Addr.Is4() {
		p.set("vrouter.checksum", tomlString(string(v.Checksum)))
	}
	p.set("vrouter.priority", strconv.Itoa(int(v.Priority)))
	p.set("vrouter.owner", [...]string{`"auto"`, "true", "false"}[v.Owner])
	p.set("vrouter.preemption", strconv.FormatBool(v.PreemptMode))
	p.set("vrouter.preempt_delay", seconds(v.PreemptDelay))
	p.set("vrouter.startup_delay", seconds(v.StartupDelay))
	p.set("vrouter.link_up_delay", seconds(v.LinkUpDelay))
	p.set("vrouter.accept_mode", strconv.FormatBool(v.AcceptMode))
	p.initial("vrouter.strict")
	p.set("vrouter.timers", fmt.Sprintf("{ advert = %s }", seconds(v.AdverInterval)))
	a, key := v.Announcements, "vrouter.garp"
	if v.Addresses[0].Addr.Is6() {
		key = "vrouter.na"
	}
	p.set(key, fmt.Sprintf("{ repeat = %d, delay = %d, refresh = %d, interval = %s }", a.Repeat, a.Delay/time.Second, a.Refresh/time.Second, seconds(a.Interval)))
	p.set("vrouter.iftype", tomlString(string(v.InterfaceType)))
	if v.InterfaceType == conf.MACVLAN {
		p.set("vrouter.vifname", tomlString(v.DeviceName))
	}
	p.set("vrouter.ether_mac", strconv.FormatBool(v.EtherMAC))
	netdrv := `"libnl"`
	if v.IOCTL {
		netdrv = `"ioctl"`
	}
	p.set("vrouter.netdrv", netdrv)
	p.set("vrouter.socket_filter", strconv.FormatBool(v.SocketFilter))
	p.initial("vrouter.rfc3768")
	p.set("vrouter.auth_type", tomlString(string(v.Auth)))
	switch {
	case v.SecretSource != "":
		p.set("vrouter.auth_secret", tomlString(v.SecretSource))
	case len(v.Secret) > 0:
		p.set("vrouter.auth_secret", tomlString(redacted))
	}
	if v.HMAC != nil {
		p.hmac(v.HMAC)
	}
}

// redacted stands for every secret.
const redacted = "redacted"

func (p *printer) hmac(h *conf.HMAC) {
	p.WriteString("\n[vrouter.hmac]\n")
	p.set("vrouter.hmac.active_key", strconv.Itoa(int(h.ActiveKey)))
	p.set("vrouter.hmac.anti_replay", tomlString(h.AntiReplay))
	p.set("vrouter.hmac.time_window", strconv.Itoa(int(h.Window/time.Second)))
	p.set("vrouter.hmac.mode", tomlString(h.Mode))
	for _, k := range h.Keys {
		value := k.Source
		if value == "" {
			value = redacted
		}
		p.WriteString("\n[[vrouter.hmac.key]]\n")
		p.set("vrouter.hmac.key.id", strconv.Itoa(int(k.ID)))
		p.set("vrouter.hmac.key.value", tomlString(value))
	}
}

// seconds writes a time in seconds, with two decimals where it needs them.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.Itoa(int(d / time.Second))
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 2, 64)
}

// addressList writes one address on the line of the key, and more on lines of
// their own, so that an error can point at each.
func addressList(addresses []conf.Address) string {
	if len(addresses) == 1 {
		return "[" + tomlString(addresses[0].String()) + "]"
	}
	var b bytes.Buffer
	b.WriteString("[\n")
	for _, a := range addresses {
		b.WriteString("  " + tomlString(a.String()) + ",\n")
	}
	b.WriteString("]")
	return b.String()
}

// tomlString writes a basic string of TOML.
func tomlString(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
