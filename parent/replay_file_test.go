package parent

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/telling"
)

// marking is a daemon with the routers of a configuration, which has read its
// state.
func marking(t *testing.T, dir string, c *conf.Config) (*daemon, error) {
	t.Helper()
	d := &daemon{keeper: unread(), replaying: replaying{stateDir: dir, stateLocks: map[string]*os.File{}, bygone: map[vrID]bygone{}}, broker: broker{ledger: ledger{generation: 1}}}
	t.Cleanup(func() { d.unlockState("eth0") })
	return d, d.reloadMarks(c)
}

// reloadMarks is a reload, as far as marks are concerned.
func (d *daemon) reloadMarks(c *conf.Config) error {
	next := d.match(c)
	known, err := d.readState(next)
	if err != nil {
		return err
	}
	d.old = d.slots
	d.adopt(next)
	d.recall(d.old, known)
	d.old = nil
	d.show()
	return nil
}

// remembering is a daemon that remembers nothing yet.
func remembering(t *testing.T, antiReplay string) *daemon {
	t.Helper()
	c := hmacConfig()
	c.Routers[0].HMAC.AntiReplay = antiReplay
	d, err := marking(t, t.TempDir(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	own  marker
	peer = marker{source: netip.MustParseAddr("fe80::1")}
	form = marker{source: ipc.FormSource}
)

func sameMarks(t *testing.T, what string, got, want marks) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(marker{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (d *daemon) say(t *testing.T, who marker, sequence uint64) {
	t.Helper()
	if err := d.marked(ipc.Header{Slot: 0, Generation: 1}, ipc.Mark{Source: who.source, Key: who.key, Sequence: sequence}); err != nil {
		t.Fatal(err)
	}
}

// TestMarks: what the child says is kept, as many senders as it remembers and
// ourselves; of a slot without HMAC it may say nothing.
func TestMarks(t *testing.T) {
	t.Parallel()
	d := remembering(t, "time")
	at := func(i int) marker { return marker{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7} }
	const wrap = 1<<63 - 50 // the order is RFC 1982's
	const many = 3 * marksMax
	for i := range many {
		d.say(t, at(i), uint64(i)*1<<32+wrap<<1)
	}
	want := marks{}
	for i := many - marksMax; i < many; i++ {
		want[at(i)] = uint64(i)*1<<32 + wrap<<1
	}
	sameMarks(t, "the newest", d.slots[0].marks, want)
	d.say(t, marker{source: at(many - 1).source}, 0) // under another key
	d.say(t, at(many-1), 0)
	delete(want, at(many-1))
	sameMarks(t, "one forgotten", d.slots[0].marks, want)
	for slot, what := range map[ipc.Slot]string{1: "a password", 2: "nothing", 9: "no slot"} {
		if err := d.marked(ipc.Header{Slot: slot, Generation: 1}, ipc.Mark{}); err == nil {
			t.Errorf("mark of a slot with %s is accepted", what)
		}
	}
}

// TestMarksNeverSink: what is remembered for good does not go back; with a window
// it may, for clocks are set. Either is forgotten when the child says so: of a key
// that is no more.
func TestMarksNeverSink(t *testing.T) {
	t.Parallel()
	for antiReplay, want := range map[string]marks{"monotonic": {peer: 78}, "time": {peer: 5}} {
		d := remembering(t, antiReplay)
		d.say(t, peer, 77)
		d.say(t, peer, 78)
		d.say(t, peer, 5)
		sameMarks(t, antiReplay, d.slots[0].marks, want)
		d.say(t, peer, 0)
		sameMarks(t, antiReplay+", forgotten", d.slots[0].marks, nil)
	}
}

// TestMarksAcrossReloads: whatever becomes of a virtual router in between,
// its senders are known when it is back, also to the file.
func TestMarksAcrossReloads(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *conf.Config){
		"the same":       func(*conf.Config) {},
		"without HMAC":   func(c *conf.Config) { c.Routers[0].Auth, c.Routers[0].HMAC = conf.AuthNone, nil },
		"gone":           func(c *conf.Config) { c.Routers = c.Routers[1:] },
		"another VRID":   func(c *conf.Config) { c.Routers[0].VRID = 77 },
		"other interval": func(c *conf.Config) { c.Routers[0].AdverInterval *= 2 },
		"time":           func(c *conf.Config) { c.Routers[0].HMAC.AntiReplay = "time" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, antiReplay := range []string{"monotonic", "time"} {
				d := remembering(t, antiReplay)
				d.say(t, peer, 77)
				d.say(t, own, 99)
				c := hmacConfig()
				change(c)
				if err := d.reloadMarks(c); err != nil {
					t.Fatal(err)
				}
				for path, text := range d.snapshot() {
					if want := "4 1 - 99\n4 1 fe80::1 77\n"; antiReplay == "monotonic" && string(text) != want {
						t.Errorf("%s has %q, want %q", path, text, want)
					}
				}
				c = hmacConfig()
				c.Routers[0].HMAC.AntiReplay = antiReplay
				if err := d.reloadMarks(c); err != nil {
					t.Fatal(err)
				}
				sameMarks(t, antiReplay, d.behind(d.find(0, 1)).marks, marks{peer: 77, own: 99})
				if len(d.bygone) > 0 && antiReplay == "monotonic" {
					t.Errorf("bygone: %v", d.bygone)
				}
			}
		})
	}
}

// TestConfide: whoever takes over is told all that is remembered.
func TestConfide(t *testing.T) {
	t.Parallel()
	for _, phase := range []ipc.Phase{ipc.PhaseConfigure, ipc.PhaseRun} {
		d := remembering(t, "monotonic")
		d.child = &child{phase: phase}
		d.say(t, peer, 77)
		d.say(t, own, 99)
		d.confide(d.slots[0])
		told := marks{}
		if err := d.outgoing.Flush(func(b []byte) error {
			for len(b) > 0 {
				h, payload, rest, err := ipc.Next(b)
				if err != nil {
					return err
				}
				if b = rest; h.Type == ipc.TypeMark {
					m, err := telling.Decode(h.Type, payload)
					if err != nil {
						return err
					}
					told[marker{m.(ipc.Mark).Source, m.(ipc.Mark).Key}] = m.(ipc.Mark).Sequence
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		sameMarks(t, fmt.Sprint("phase ", phase), told, d.slots[0].marks)
	}
}

// written is a state directory with what a daemon has left in it.
func written(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := ReplaceFile(stateFile(dir, "eth0"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestState: written, and read by the next daemon, with what is not
// configured now.
func TestState(t *testing.T) {
	t.Parallel()
	const others = "4 77 10.0.0.7 5\n6 1 - 6\n"
	dir := written(t, "4 1 - 1099511627776\n4 1 fe80::1 77\n"+others)
	// What a daemon that was killed was writing is no harm.
	if err := os.WriteFile(filepath.Join(dir, "new.replay.eth0"), []byte("half a li"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := marking(t, dir, hmacConfig())
	if err != nil {
		t.Fatal(err)
	}
	sameMarks(t, "read", d.slots[0].marks, marks{peer: 77, own: 1<<40 + stateMargin})
	d.say(t, peer, 78)
	for path, text := range d.snapshot() {
		if err := ReplaceFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(stateFile(dir, "eth0"))
	want := fmt.Sprintf("4 1 - %d\n4 1 fe80::1 78\n4 77 10.0.0.7 5\n6 1 - %d\n", uint64(1<<40+stateMargin), uint64(6+stateMargin))
	if err != nil || string(text) != want {
		t.Errorf("%v: got %q, want %q", err, text, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 { // and the lock
		t.Errorf("files: %v", left)
	}
}

// TestFullStateCanBeRead: the file of as many virtual routers as an interface
// can have is not too long.
func TestFullStateCanBeRead(t *testing.T) {
	t.Parallel()
	all := map[vrID]marks{}
	for vrid := 1; vrid <= 255; vrid++ {
		for _, family := range []ipc.Family{ipc.IPv4, ipc.IPv6} {
			m := marks{form: 1<<64 - 1}
			for i := range marksMax {
				m[marker{netip.AddrFrom16([16]byte{0xfe, 0x80, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0xff, 0xff, 0xff, 0xff, 0xff, byte(100 + i)}), 1<<32 - 1}] = 1<<64 - 1
			}
			all[vrID{"eth0", family, uint8(vrid)}] = m
		}
	}
	d, err := marking(t, t.TempDir(), hmacConfig())
	if err != nil {
		t.Fatal(err)
	}
	d.recall(nil, maps.Clone(all))
	for path, text := range d.snapshot() {
		if err := ReplaceFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readStateFile(d.stateDir, "eth0")
	if err != nil || len(got) != len(all) {
		t.Errorf("%d virtual routers, want %d: %v", len(got), len(all), err)
	}
	for id, m := range got {
		if len(m) != marksMax+1 {
			t.Errorf("%v: %d marks", id, len(m))
		}
	}
}

// TestStateRefused: what others could have written, or what makes no sense,
// is refused, at the start and by a reload, and nothing of it counts.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	const good = "4 1 fe80::1 77\n"
	for _, tt := range []struct {
		name, text, want string
		change           func(dir string) error
	}{
		{"others can write it", good, "only root can write", func(dir string) error { return os.Chmod(stateFile(dir, "eth0"), 0o622) }},
		{"others can write the directory", good, "accepted: a directory that root alone can write", func(dir string) error { return os.Chmod(dir, 0o777) }},
		{"a link", good, "too many levels of symbolic links", func(dir string) error {
			return os.Rename(stateFile(dir, "eth0"), stateFile(dir, "eth1"))
		}},
		{"nonsense behind good lines", good + "4 1 - nonsense\n", "is not a line of state", nil},
		{"more on a line", good + "4 1 - 5 5\n", "is not a line of state", nil},
		{"family 5", good + "5 1 - 5\n", "is not a line of state", nil},
		{"VRID 0", good + "4 0 - 5\n", "is not a line of state", nil},
		{"no key", good + "4 1 fe80::2@ 5\n", "is not a line of state", nil},
		{"a key too long", good + "4 1 fe80::2@123456789 5\n", "is not a line of state", nil},
		{"no address", good + "4 1 here 5\n", "is not a line of state", nil},
		{"a line too long", good + strings.Repeat("4", 1<<17) + "\n", "token too long", nil},
		{"too long", strings.Repeat(good, stateMax/len(good)+1), "holds more than", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := written(t, tt.text)
			if tt.change != nil {
				if err := tt.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			if tt.name == "a link" {
				if err := os.Symlink(stateFile(dir, "eth1"), stateFile(dir, "eth0")); err != nil {
					t.Fatal(err)
				}
			}
			_, err := marking(t, dir, hmacConfig())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("at the start: got %v, want %q", err, tt.want)
			}
			if of := tt.name == "others can write the directory"; errors.Is(err, ErrConfiguration) != of {
				t.Errorf("at the start: %v: an error of the configuration: want %t", err, of)
			}
			c := hmacConfig()
			c.Routers[0].HMAC.AntiReplay = "time"
			d, err := marking(t, dir, c)
			if err != nil {
				t.Fatal(err)
			}
			before := d.slots
			if err := d.reloadMarks(hmacConfig()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("reloaded: got %v, want %q", err, tt.want)
			}
			if &d.slots[0] != &before[0] || len(d.slots[0].marks)+len(d.stateLocks) > 0 {
				t.Errorf("something has changed: %v, %v", d.slots[0].marks, d.stateLocks)
			}
		})
	}
}

// TestStateOfTwo: two daemons, in two network namespaces, cannot share it.
func TestStateOfTwo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := marking(t, dir, hmacConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := marking(t, dir, hmacConfig()); err == nil || !strings.Contains(err.Error(), "another rvrrpd, in another network namespace, keeps the state of its eth0 there") {
		t.Errorf("got %v", err)
	}
	first.unlockState("eth0")
	if _, err := marking(t, dir, hmacConfig()); err != nil {
		t.Errorf("once it is gone: %v", err)
	}
}
