//go:build lab

package parent

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// TestGivenBack: what somebody else has made theirs in the moment in which we
// remove or prolong it, and what the kernel removes along with ours, is there
// afterwards as they had it; what is ours, or what they have removed
// themselves, is not.
func TestGivenBack(t *testing.T) {
	const four, six = "10.8.0.254/24", "2001:db8:8::254/64"
	type step func(d *daemon, s *slot) error
	run := func(command string) step {
		return func(*daemon, *slot) error { return netns.IP(command + " dev eth0") }
	}
	give := func(d *daemon, s *slot) error { return d.give(&s.page) }
	revive := func(d *daemon, s *slot) error { return d.reput(&s.page, s.placed, 100) }
	reloading := func(d *daemon, s *slot) error { // nobody looks at the interfaces
		d.old = []*slot{s}
		d.show()
		d.giveBack(d.collect(), nil)
		d.old = nil
		d.show()
		return nil
	}
	sweep := func(d *daemon, s *slot) error {
		f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
		d.locks, s.held = map[string]*os.File{"eth0": f}, false
		return errors.Join(err, d.sweep(), f.Close())
	}
	for _, tt := range []struct {
		name, ours string
		steps      []step
		want       string // theirs in the end, "" for none
	}{
		{"ours is removed", four, []step{give}, ""},
		{"ours is removed", six, []step{give}, ""},
		{"ours is prolonged", six, []step{revive}, ""},
		{"ours is prolonged, then removed", six, []step{revive, give}, ""},
		{"replaced, prolonged, then removed", six, []step{run("addr replace " + six), revive, give}, six},
		{"replaced", four, []step{run("addr replace " + four), give}, four},
		{"replaced", six, []step{run("addr replace " + six), give}, six},
		{"replaced for a time", six, []step{run("addr replace " + six + " valid_lft 1000 preferred_lft 900"), give}, six},
		{"replaced, then prolonged", four, []step{run("addr replace " + four), revive}, four},
		{"replaced, then prolonged", six, []step{run("addr replace " + six), revive}, six},
		{"prolonged, then replaced", six, []step{revive, run("addr replace " + six)}, six},
		{"replaced, then removed by them", four, []step{run("addr replace " + four), run("addr del " + four), give}, ""},
		{"replaced, then removed by them", six, []step{run("addr replace " + six), run("addr del " + six), give}, ""},
		{"removed, then added by them", six, []step{give, run("addr add " + six)}, six},
		{"of the same subnet, after ours", four, []step{run("addr add 10.8.0.9/24"), give}, "10.8.0.9/24"},
		{"of the same subnet, swept", four, []step{run("addr add 10.8.0.9/24"), sweep}, "10.8.0.9/24"},
		{"swept", six, []step{sweep}, ""},
		{"removed, added and removed by them", four, []step{give, run("addr add " + four), run("addr del " + four)}, ""},
		{"removed, added and removed by them", six, []step{give, run("addr add " + six), run("addr del " + six)}, ""},
		{"replaced during a reload, then prolonged", four, []step{run("addr replace " + four), reloading, revive}, four},
		{"replaced during a reload, then prolonged", six, []step{run("addr replace " + six), reloading, revive}, six},
	} {
		t.Run(tt.name+" "+tt.ours, func(t *testing.T) {
			netns.Inside(t, func(t *testing.T) {
				k, err := kernel.Open()
				if err != nil {
					t.Error(err)
					return
				}
				var said strings.Builder
				index := find(t, k, "eth0").Index
				s := &slot{page: page{index: index, held: true, placed: []vaddr{{Prefix: netip.MustParsePrefix(tt.ours)}}}}
				d := &daemon{keeper: unread(), broker: broker{kernel: k, log: slog.New(slog.NewTextHandler(&said, nil))}, slots: []*slot{s}, links: []*link{{wire: wire{index: index}}}}
				d.show()
				if err = d.openForeign(); err != nil {
					t.Error(err)
					return
				}
				present := func() []facts.Address {
					all, err := facts.Addresses()
					if err != nil {
						t.Error(err)
					}
					return slices.DeleteFunc(all, func(a facts.Address) bool { return a.Index != index || a.Prefix.Addr().IsLinkLocalUnicast() })
				}
				before := present()
				if err := k.Acquire(kernel.Placement{Device: index, Addresses: s.placed}); err != nil {
					t.Error(err)
				}
				d.giveBack(d.collect(), nil)
				for _, step := range tt.steps {
					if err := step(d, s); err != nil {
						t.Error(err)
					}
				}
				d.giveBack(d.collect(), nil)
				if out, err := exec.Command("ip", "-6", "route", "show", "2001:db8:8::/64").Output(); err != nil || len(out) > 0 && tt.want == "" && !s.held {
					t.Errorf("a route is left: %s, %v", out, err)
				}
				after := slices.DeleteFunc(present(), func(a facts.Address) bool {
					return slices.ContainsFunc(before, func(b facts.Address) bool { return a.Prefix == b.Prefix })
				})
				var got []string
				for _, a := range after {
					switch {
					case a.Proto != facts.Protocol:
						got = append(got, a.Prefix.String())
					case !s.held:
						t.Errorf("%v is still there", a.Prefix)
					}
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("theirs are %q, want %q; it said %s", got, tt.want, said.String())
				}
			})
		})
	}
}
