//go:build lab

package lab_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// recorded is r2, which has taken over from r1, and what somebody on the LAN
// has recorded of r1.
type recorded struct {
	*reloaded
	l    *lab.Lab
	text string // of its configuration
	dir  string // of its state
	old  [][]byte
}

// record has r1 speak, be recorded and die.
func record(t *testing.T, text func(priority int) string) *recorded {
	t.Helper()
	l := lab.New(t)
	r := &recorded{l: l, dir: filepath.Join(t.TempDir(), "state")}
	a := startReloaded(t, l.R1, fmt.Sprintf("state_dir = %q\n", filepath.Join(t.TempDir(), "r1"))+text(high))
	l.Tap.Await(0, 8*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
	r.text = fmt.Sprintf("state_dir = %q\n", r.dir) + text(low)
	r.reloaded = startReloaded(t, l.R2, r.text)
	r.AwaitLine(0, 5*time.Second, "initialize->backup")
	r.old = l.Client.Overhear(5, 10*time.Second)
	mark := l.Tap.Len()
	l.Tap.Await(mark, 5*time.Second, "r1's advertisement behind what was recorded", lab.AdvertOf(l.R1, high))
	a.Kill()
	r.AwaitLine(0, 10*time.Second, "backup->active")
	return r
}

// again starts it once more, with its configuration.
func (r *recorded) again() {
	r.t.Helper()
	r.Process = r.l.R2.Start(lab.Binary("rvrrpd"), "-m1", "-c", r.file)
	r.AwaitLine(0, 10*time.Second, "->active")
}

// state is what its state file says, by virtual router and sender.
func (r *recorded) state() map[string]uint64 {
	out := map[string]uint64{}
	b, err := os.ReadFile(filepath.Join(r.dir, "replay."+lab.Interface))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		var family, vrid int
		var source string
		var sequence uint64
		if _, err := fmt.Sscan(line, &family, &vrid, &source, &sequence); err != nil {
			r.t.Errorf("state: %q", line)
		}
		source, _, _ = strings.Cut(source, "@") // the key
		out[fmt.Sprintf("%d %d %s", family, vrid, source)] = sequence
	}
	return out
}

// known waits for a line of the state file.
func (r *recorded) known(line string) {
	r.t.Helper()
	if !lab.Until(5*time.Second, func() bool { return r.state()[line] > 0 }) {
		r.t.Fatalf("%q is not in the state: %v", line, r.state())
	}
}

// TestReplay: what was recorded of a router that is dead, and is sent again
// to the Active that has taken over from it, does not make that one a Backup,
// whatever has happened to it since it heard it first.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		monotonic bool // only so
		happens   func(r *recorded)
	}{
		{"it goes on", false, func(*recorded) {}},
		{"network process crashes", false, func(r *recorded) {
			mark := r.Len()
			lab.KillChild(lab.Children(r.PID)[0])
			r.AwaitLine(mark, 2*time.Second, "msg=ready")
			r.AwaitLine(mark, 2*time.Second, "initialize->active.*reason=restored")
		}},
		{"daemon is killed", true, func(r *recorded) {
			r.Kill()
			r.again()
		}},
		{"daemon is stopped", true, func(r *recorded) {
			if status := r.Terminate(5 * time.Second); status != 0 {
				r.t.Errorf("status %d", status)
			}
			r.again()
		}},
		{"daemon hands over", false, func(r *recorded) {
			r.Signal(syscall.SIGUSR2)
			if status := r.AwaitExit(5 * time.Second); status != 0 {
				r.t.Errorf("status %d", status)
			}
			r.again()
			if !r.Said(0, "taken over from the daemon before") {
				r.t.Errorf("it said\n%s", r.Output())
			}
		}},
		{"authentication goes and comes", false, func(r *recorded) {
			r.reload(fmt.Sprintf("state_dir = %q\n", r.dir)+reloads(1, low, ""), "configuration loaded")
			r.reload(r.text, "configuration loaded")
		}},
		{"virtual router goes and comes", false, func(r *recorded) {
			r.reload(strings.Replace(r.text, "group = 1\n", "group = 2\n", 1), "configuration loaded")
			if strings.Contains(r.text, "monotonic") {
				r.known("4 2 -")
				r.known("4 1 " + r.l.R1.Addr.String())
			}
			mark := r.Len()
			r.reload(r.text, "configuration loaded")
			r.AwaitLine(mark, 5*time.Second, "backup->active vr=eth0/1/")
		}},
	} {
		for kind, extra := range map[string]string{"time": "time_window = 300\n", "monotonic": "anti_replay = \"monotonic\"\n"} {
			if tt.monotonic && kind != "monotonic" {
				continue
			}
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				t.Parallel()
				r := record(t, func(priority int) string { return hmacConfig(1, priority, "enforce", 1, "1", extra) })
				heard := "4 1 " + r.l.R1.Addr.String()
				if kind == "monotonic" {
					r.known(heard)
					r.known("4 1 -")
				}
				before := r.state()
				tt.happens(r)
				mark, stop := r.Len(), make(chan struct{})
				defer close(stop)
				r.l.Client.Replay(r.old, 20*time.Millisecond, stop)
				r.AwaitLine(mark, 5*time.Second, "packets dropped.*reason=replayed")
				for range 10 { // ten times what was recorded
					r.l.Tap.Await(r.l.Tap.Len(), 2*time.Second, "r2's advertisement", lab.AdvertOf(r.l.R2, low))
				}
				if r.Said(mark, "->backup") {
					t.Errorf("it stepped back:\n%s", r.Output())
				}
				if status := r.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d", status)
				}
				if !r.Said(mark, "packets dropped.*reason=replayed.*total=[0-9]{2}") {
					t.Errorf("not everything was dropped as replayed:\n%s", r.Output())
				}
				after := r.state()
				for sender, sequence := range before {
					if after[sender] < sequence {
						t.Errorf("state of %s: %d, was %d", sender, after[sender], sequence)
					}
				}
				if info, err := os.Stat(filepath.Join(r.dir, "replay."+lab.Interface)); kind == "monotonic" && (err != nil || info.Mode().Perm() != 0o600 || after[heard] == 0) {
					t.Errorf("state: %v, %v, %v", info, err, after)
				}
			})
		}
	}
}

// TestReplayWorks without authentication, and with every kind of it but HMAC:
// what HMAC is for.
func TestReplayWorks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"none", "rfc2338-simple", "p0-t8-sha256", "p1-b8-shake256"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := record(t, func(priority int) string {
				text := lab.Router{Kind: lab.Rvrrpd, Priority: priority}.Configuration("") + fmt.Sprintf("auth_type = %q\n", kind)
				if kind != "none" {
					text += "auth_secret = \"changeme\"\n"
				}
				return text
			})
			mark, stop := r.Len(), make(chan struct{})
			defer close(stop)
			r.l.Client.Replay(r.old, 20*time.Millisecond, stop)
			r.AwaitLine(mark, 5*time.Second, "active->backup.*reason=higher-priority peer="+r.l.R1.Addr.String())
		})
	}
}

// TestUnsafeState: neither a start nor a reload believes a state that others
// could have written; a reload that does not changes nothing.
func TestUnsafeState(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	dir := filepath.Join(t.TempDir(), "state")
	file := filepath.Join(dir, "replay."+lab.Interface)
	write := func(mode os.FileMode, text string) {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, []byte(text), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	text := func(extra string) string {
		return fmt.Sprintf("state_dir = %q\n", dir) + hmacConfig(1, high, "enforce", 1, "1", extra)
	}
	const monotonic = "anti_replay = \"monotonic\"\n"
	write(0o666, "4 1 10.9.0.7 5\n")
	if status := startReloaded(t, l.R1, text(monotonic)).AwaitExit(5 * time.Second); status == 0 {
		t.Error("it starts")
	}
	p := startReloaded(t, l.R1, text(""))
	p.AwaitLine(0, 5*time.Second, "backup->active")
	for _, bad := range []struct {
		mode       os.FileMode
		text, want string
	}{
		{0o666, "4 1 10.9.0.7 5\n", "only root can write"},
		{0o600, "4 1 10.9.0.7 5\n4 1", "is not a line of state"},
	} {
		write(bad.mode, bad.text)
		mark, seen := p.Len(), l.Tap.Len()
		p.reload(text(monotonic), "reload refused, nothing has changed.*"+bad.want)
		for range 3 {
			l.Tap.Await(seen, time.Second, "an advertisement", lab.AdvertOf(l.R1, high))
			seen = l.Tap.Len()
		}
		if p.Said(mark, "->|configuration loaded") {
			t.Errorf("%s: it said\n%s", bad.want, p.Output())
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != bad.text {
			t.Errorf("%s: it was changed: %q, %v", bad.want, b, err)
		}
	}
	write(0o600, "4 1 10.9.0.7 5\n")
	p.reload(text(monotonic), "configuration loaded")
	if !lab.Until(5*time.Second, func() bool { b, _ := os.ReadFile(file); return strings.Contains(string(b), "4 1 -@") }) {
		t.Error("it is not written")
	}
	if b, _ := os.ReadFile(file); !strings.Contains(string(b), "4 1 10.9.0.7@") {
		t.Errorf("what it had is lost: %q", b)
	}
}
