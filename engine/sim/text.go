package sim

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// ParseConfig reads the words of a router line: version=3 priority=100
// interval=1s preempt=true preempt-delay=0s startup-delay=0s repeat=5 delay=5s.
// What is left out keeps these values.
func ParseConfig(words []string) (engine.Config, error) {
	c := engine.Config{
		Version: engine.V3, Priority: 100, AdverInterval: time.Second,
		PreemptMode: true, AnnounceRepeat: 5, AnnounceDelay: 5 * time.Second,
	}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var n uint64
		var err error
		switch key {
		case "version":
			n, err = strconv.ParseUint(value, 10, 8)
			c.Version = engine.Version(n)
		case "priority":
			n, err = strconv.ParseUint(value, 10, 8)
			c.Priority = uint8(n)
		case "interval":
			c.AdverInterval, err = time.ParseDuration(value)
		case "preempt":
			c.PreemptMode, err = strconv.ParseBool(value)
		case "preempt-delay":
			c.PreemptDelay, err = time.ParseDuration(value)
		case "startup-delay":
			c.StartupDelay, err = time.ParseDuration(value)
		case "repeat":
			n, err = strconv.ParseUint(value, 10, 8)
			c.AnnounceRepeat = uint8(n)
		case "delay":
			c.AnnounceDelay, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("unknown key")
		}
		if err != nil {
			return c, fmt.Errorf("router word %q: %w", word, err)
		}
	}
	return c, nil
}

// FormatConfig writes c so that ParseConfig reads it.
func FormatConfig(c engine.Config) string {
	return fmt.Sprintf("version=%d priority=%d interval=%s preempt=%t preempt-delay=%s startup-delay=%s repeat=%d delay=%s",
		c.Version, c.Priority, c.AdverInterval, c.PreemptMode, c.PreemptDelay, c.StartupDelay, c.AnnounceRepeat, c.AnnounceDelay)
}

// ParseEvent reads an event as FormatEvent writes it.
func ParseEvent(words []string) (engine.Event, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("event: none")
	}
	switch words[0] {
	case "shutdown":
		return engine.Shutdown{}, nil
	case "interface-down":
		return engine.InterfaceDown{}, nil
	case "tick":
		return engine.Tick{}, nil
	case "refused":
		return engine.Refused{}, nil
	case "revoked":
		return engine.Revoked{}, nil
	}
	if words[0] == "missed" && len(words) == 2 {
		until, err := time.ParseDuration(words[1])
		return engine.Missed{Until: engine.Instant(until)}, err
	}
	if len(words) < 2 {
		return nil, fmt.Errorf("event %q: unknown, or without its address", words[0])
	}
	addr, err := netip.ParseAddr(words[1])
	if err != nil {
		return nil, fmt.Errorf("event %q: %w", words[0], err)
	}
	switch words[0] {
	case "startup":
		return engine.Startup{Primary: addr}, nil
	case "restore":
		return engine.Restore{Primary: addr}, nil
	case "advertisement":
		c, err := ParseConfig(words[2:])
		return engine.Advertisement{Source: addr, Priority: c.Priority, AdverInterval: c.AdverInterval}, err
	}
	return nil, fmt.Errorf("event %q: unknown", words[0])
}

// FormatEvent writes an event as one line.
func FormatEvent(ev engine.Event) string {
	switch ev := ev.(type) {
	case engine.Startup:
		return "startup " + ev.Primary.String()
	case engine.Shutdown:
		return "shutdown"
	case engine.InterfaceDown:
		return "interface-down"
	case engine.Tick:
		return "tick"
	case engine.Advertisement:
		return fmt.Sprintf("advertisement %s priority=%d interval=%s", ev.Source, ev.Priority, ev.AdverInterval)
	case engine.Restore:
		return "restore " + ev.Primary.String()
	case engine.Missed:
		return "missed " + time.Duration(ev.Until).String()
	case engine.Refused:
		return "refused"
	case engine.Revoked:
		return "revoked"
	}
	return fmt.Sprintf("unknown event %T", ev)
}

// FormatAction writes an action as one line.
func FormatAction(a engine.Action) string {
	switch a := a.(type) {
	case engine.SendAdvertisement:
		return fmt.Sprintf("send %d", a.Priority)
	case engine.Acquire:
		return "acquire"
	case engine.Release:
		return "release"
	case engine.Announce:
		return fmt.Sprintf("announce %d", a.Repeat)
	case engine.StateChanged:
		s := fmt.Sprintf("%s->%s reason=%s", a.From, a.To, a.Reason)
		if a.Peer.IsValid() {
			s += fmt.Sprintf(" peer=%s priority=%d", a.Peer, a.Priority)
		}
		return s
	}
	return fmt.Sprintf("unknown action %T", a)
}
