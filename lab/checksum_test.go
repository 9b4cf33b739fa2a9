//go:build lab

package lab_test

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestChecksumRemembered: a router that has heard another with the checksum of
// RFC 5798 advertises with it from its first advertisement on, whatever happens
// to it afterwards, and though the other one is gone.
func TestChecksumRemembered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		happens func(a *lab.Daemon) *lab.Daemon
	}{
		{"reload", func(a *lab.Daemon) *lab.Daemon {
			command := strings.Fields(a.Command())
			file := command[len(command)-1]
			text, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, bytes.Replace(text, []byte("priority = 100"), []byte("priority = 101"), 1), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			said := a.Len()
			a.Signal(syscall.SIGHUP)
			a.AwaitLine(said, 5*time.Second, "configuration loaded")
			return a
		}},
		{"network process crashes", func(a *lab.Daemon) *lab.Daemon {
			said := a.Len()
			lab.KillChild(a.Child())
			a.AwaitLine(said, 5*time.Second, "initialize->active.*reason=restored")
			return a
		}},
		{"daemon hands over", func(a *lab.Daemon) *lab.Daemon {
			a.Signal(syscall.SIGUSR2)
			if status := a.AwaitExit(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			again := a.Again()
			again.AwaitLine(0, 5*time.Second, "taken over from the daemon before.*active=1")
			return again
		}},
		{"daemon is stopped", func(a *lab.Daemon) *lab.Daemon {
			if status := a.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			return a.Again()
		}},
		{"daemon is killed", func(a *lab.Daemon) *lab.Daemon {
			a.Kill()
			return a.Again()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, Checksum: lab.Pseudo}
			b := l.R2.Run(r)
			l.Tap.Await(0, 10*time.Second, "r2's advertisement", advertisement(l.R2))
			r.Priority, r.Checksum = low, ""
			a := l.R1.Run(r)
			a.AwaitLine(0, 5*time.Second, "checksum learned.*checksum=rfc5798")
			b.Kill()
			l.Tap.Await(l.Tap.Len(), r.ActiveDown()+5*time.Second, "r1's takeover", advertisement(l.R1))
			awaitAdverts(l, l.R1, r, 1)

			seen := l.Tap.Len()
			again := tt.happens(a)
			l.Tap.Await(seen, 10*time.Second, "r1's advertisement", advertisement(l.R1))
			again.AwaitActive(0)
			awaitAdverts(l, l.R1, r, 3)
			spoken := lab.Select(l.Tap.From(0), lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil }))
			for _, f := range spoken {
				if form := f.VRRP.ChecksumForm(); form != lab.Pseudo {
					t.Errorf("advertised with %q: %s", form, f)
				}
			}
			if len(spoken) < 6 {
				t.Errorf("%d advertisements", len(spoken))
			}
			if said := strings.Count(a.Output()+again.Output(), "checksum learned"); said != 1 && !(again == a && said == 2) {
				t.Errorf("told %d times; it said\n%s", said, again.Output())
			}
		})
	}
}

// TestMigrationLearns: a router that speaks both versions, too, beside one that
// knows RFC 5798 alone and comes when it is Active.
func TestMigrationLearns(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Interval: time.Second, Priority: high}
	r.Text = r.Configuration(l.R1.Name) + "version = \"2+3\"\n"
	a := l.R1.Run(r)
	l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(l.R1))
	b := l.R2.Run(lab.Router{Kind: lab.Keepalived, Version: 3, Interval: time.Second, Priority: low})
	b.AwaitBackup()
	a.AwaitLine(0, b.Router.ActiveDown()+10*time.Second, "checksum learned.*checksum=rfc5798")
	version3 := lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Version == 3 })
	l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's next advertisement in version 3", version3)
	seen := l.Tap.Len()
	for range 5 { // longer than r2's Active_Down_Interval
		l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's advertisement in version 3", version3)
	}
	frames := l.Tap.From(seen)
	for _, f := range lab.Select(frames, version3) {
		if form := f.VRRP.ChecksumForm(); form != lab.Pseudo {
			t.Errorf("advertised with %q: %s", form, f)
		}
	}
	if said := lab.Select(frames, advertisement(l.R2)); len(said) > 0 {
		t.Errorf("r2 goes on: %s", said[0])
	}
}
