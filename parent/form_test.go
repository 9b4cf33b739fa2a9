package parent

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// formConfig is a configuration whose only virtual router learns its checksum.
func formConfig() *conf.Config {
	return &conf.Config{Routers: []conf.Router{
		{VRID: 1, Version: 3, Checksum: conf.ChecksumAuto, Interface: "eth0", Priority: 100, AdverInterval: time.Second,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.1")}}},
	}}
}

// learning is a daemon with such a configuration, and what it logs.
func learning(t *testing.T, dir string, c *conf.Config) (*daemon, *strings.Builder) {
	t.Helper()
	log := &strings.Builder{}
	d := &daemon{keeper: unread(),
		replaying: replaying{stateDir: dir, stateLocks: map[string]*os.File{}, bygone: map[vrID]bygone{}},
		broker:    broker{ledger: ledger{generation: 1}, log: slog.New(slog.NewTextHandler(log, nil)), now: 1 << 40},
	}
	t.Cleanup(func() { d.unlockState("eth0") })
	if err := d.reloadMarks(c); err != nil {
		t.Fatal(err)
	}
	return d, log
}

func (d *daemon) write(t *testing.T) {
	t.Helper()
	for path, text := range d.snapshot() {
		if err := ReplaceFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForm: what the child has learned is told once for each change, kept, and
// given to the next child.
func TestForm(t *testing.T) {
	t.Parallel()
	d, log := learning(t, t.TempDir(), formConfig())
	d.say(t, form, 1)
	d.say(t, form, 1)
	d.say(t, form, 2)
	d.say(t, form, 3)
	d.say(t, form, 2)
	sameMarks(t, "learned", d.slots[0].marks, marks{form: 3})
	var told []string
	for line := range strings.Lines(log.String()) {
		_, what, _ := strings.Cut(strings.TrimSpace(line), "level=INFO ")
		told = append(told, what)
	}
	const line = `msg="checksum learned" vr=eth0/1/ipv4 checksum=`
	if want := fmt.Sprint([]string{line + "rfc5798", line + "rfc9568", line + "rfc5798"}); fmt.Sprint(told) != want {
		t.Errorf("it said %q", told)
	}
}

// TestFormOnly: of a slot without HMAC the child may say nothing else, and of
// one whose checksum is configured not that.
func TestFormOnly(t *testing.T) {
	t.Parallel()
	d, _ := learning(t, t.TempDir(), formConfig())
	for _, source := range []netip.Addr{own.source, peer.source, netip.IPv6Unspecified()} {
		if err := d.marked(ipc.Header{Slot: 0, Generation: 1}, ipc.Mark{Source: source, Sequence: 1}); err == nil {
			t.Errorf("a mark of %v is accepted", source)
		}
	}
	h := remembering(t, "time")
	if err := h.marked(ipc.Header{Slot: 0, Generation: 1}, ipc.Mark{Source: ipc.FormSource, Sequence: 1}); err == nil {
		t.Error("the mark of a form is accepted where none is learned")
	}
}

// TestFormIsNoSender: it does not give way to senders, and none to it.
func TestFormIsNoSender(t *testing.T) {
	t.Parallel()
	m := marks{}
	for i := range marksMax {
		m.set(marker{source: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})}, uint64(100+i))
	}
	m.set(form, 1)
	m.set(marker{source: netip.AddrFrom4([4]byte{10, 0, 2, 1})}, 500)
	if len(m) != marksMax+1 || m[form] != 1 || m[marker{source: netip.AddrFrom4([4]byte{10, 0, 1, 0})}] != 0 {
		t.Errorf("%d marks: %v", len(m), m)
	}
}

// TestFormAcrossReloads: whatever becomes of the virtual router in between, the
// form is known when it is back; and after a restart, from the file.
func TestFormAcrossReloads(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *conf.Config){
		"nothing":         func(*conf.Config) {},
		"priority":        func(c *conf.Config) { c.Routers[0].Priority = 50 },
		"configured form": func(c *conf.Config) { c.Routers[0].Checksum = conf.RFC9568 },
		"version 2":       func(c *conf.Config) { c.Routers[0].Version, c.Routers[0].Checksum = 2, conf.RFC9568 },
		"gone":            func(c *conf.Config) { c.Routers[0].VRID = 9 },
		"HMAC": func(c *conf.Config) {
			c.Routers[0].Auth, c.Routers[0].HMAC = conf.AuthHMAC, hmacConfig().Routers[0].HMAC
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d, _ := learning(t, dir, formConfig())
			d.say(t, form, 1)
			c := formConfig()
			change(c)
			for _, c := range []*conf.Config{c, formConfig()} {
				if err := d.reloadMarks(c); err != nil {
					t.Fatal(err)
				}
			}
			if got := d.behind(d.find(0, 1)).marks[form]; got != 1 {
				t.Errorf("mark %d after reloads", got)
			}
			d.write(t)
			d.unlockState("eth0")
			next, _ := learning(t, dir, formConfig())
			sameMarks(t, "after a restart", next.slots[0].marks, marks{form: 1})
		})
	}
}

// TestFormAndMonotonic: the file of an interface has the sequences of those that
// need them, and of the others the form alone.
func TestFormAndMonotonic(t *testing.T) {
	t.Parallel()
	dir := written(t, "4 1 0.0.0.0 4\n4 1 fe80::1 70\n4 9 0.0.0.0 1\n")
	c := hmacConfig()
	c.Routers[0].Checksum = conf.ChecksumAuto
	d, _ := learning(t, dir, c)
	d.say(t, peer, 77)
	d.say(t, form, 5)
	c = hmacConfig()
	c.Routers[0].Checksum, c.Routers[0].Auth, c.Routers[0].HMAC = conf.ChecksumAuto, conf.AuthNone, nil
	if err := d.reloadMarks(c); err != nil {
		t.Fatal(err)
	}
	d.say(t, form, 6)
	d.write(t)
	text, err := os.ReadFile(stateFile(dir, "eth0"))
	if want := "4 1 0.0.0.0 6\n4 1 fe80::1 77\n4 9 0.0.0.0 1\n"; err != nil || string(text) != want {
		t.Errorf("%v: %q, want %q", err, text, want)
	}
	// And gone, it is not forgotten what was kept for good.
	c.Routers[0].VRID = 11
	if err := d.reloadMarks(c); err != nil {
		t.Fatal(err)
	}
	d.write(t)
	if again, _ := os.ReadFile(stateFile(dir, "eth0")); string(again) != string(text) {
		t.Errorf("once it is gone: %q", again)
	}
}

// TestFormHandedOver: the daemon that takes over knows it.
func TestFormHandedOver(t *testing.T) {
	t.Parallel()
	d, _ := learning(t, t.TempDir(), formConfig())
	d.say(t, form, 1)
	var h handover
	if err := json.Unmarshal(d.bequest("eth0"), &h); err != nil || len(h.Slots) != 1 {
		t.Fatalf("%v: %+v", err, h)
	}
	sameMarks(t, "handed over", h.Slots[0].Marks, marks{form: 1})
}

// TestFormNeedsNoState: a state that cannot be kept is told, and no reason not
// to start.
func TestFormNeedsNoState(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"others can write it": func(dir string) error { return os.Chmod(dir, 0o777) },
		"nonsense":            func(dir string) error { return os.WriteFile(stateFile(dir, "eth0"), []byte("nonsense\n"), 0o600) },
		"a file":              func(dir string) error { os.RemoveAll(dir); return os.WriteFile(dir, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := written(t, "4 1 0.0.0.0 1\n")
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			d, log := learning(t, dir, formConfig())
			if !strings.Contains(log.String(), `level=INFO msg="learned checksums are not kept" link=eth0`) {
				t.Errorf("it said %s", log)
			}
			sameMarks(t, "read", d.slots[0].marks, nil)
			d.say(t, form, 1)
			if files := d.snapshot(); len(files) != 0 {
				t.Errorf("written: %v", files)
			}
		})
	}
	dir := t.TempDir()
	if first, _ := learning(t, dir, formConfig()); len(first.stateLocks) != 1 {
		t.Error("the first does not keep it")
	}
	if second, log := learning(t, dir, formConfig()); !strings.Contains(log.String(), "another rvrrpd") || len(second.stateLocks) != 0 {
		t.Errorf("two of them: it said %s", log)
	}
}
