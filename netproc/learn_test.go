package netproc

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// auto is the tests' router in version 3 whose form of the checksum is learned.
func auto() ipc.Router {
	r := record3()
	r.Checksum = ipc.ChecksumAuto
	return r
}

// in gives an advertisement a form.
func in(form wire.Form, priority uint8) wire.Advertisement {
	a := good3(priority)
	a.Checksum = form
	return a
}

const (
	plain  = wire.FormPlain
	pseudo = wire.FormPseudoHeader
)

// formsSent lets a turn pass and lists the forms of what is advertised in it.
func (d *parent) formsSent() (forms []wire.Form) {
	d.t.Helper()
	if err := d.p.turn(ready{control: true, frames: true}); err != nil {
		d.t.Fatal(err)
	}
	for {
		n, err := d.control.Recv(d.buf)
		if err != nil {
			return forms
		}
		for rest := d.buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				d.t.Fatal(err)
			}
			d.last = h
			if h.Type != ipc.TypeAdvertise {
				continue
			}
			form, ok := wire.Verify(payload, ours, wire.GroupIPv4)
			if version, _ := wire.Peek(payload); !ok || version != 3 {
				d.t.Errorf("advertisement %x: right %v, version %d", payload, ok, version)
			}
			forms = append(forms, form)
		}
	}
}

// TestLearn: a Backup takes over in the form of its Active, at the first
// advertisement, and a Backup that has heard nobody in RFC 9568's.
func TestLearn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		checksum ipc.Checksum
		hears    []wire.Form
		want     wire.Form
		changes  []string
	}{
		{"nobody", ipc.ChecksumAuto, nil, plain, nil},
		{"RFC 9568", ipc.ChecksumAuto, []wire.Form{plain, plain}, plain, nil},
		{"RFC 5798", ipc.ChecksumAuto, []wire.Form{pseudo, pseudo, pseudo}, pseudo, []string{"g1 s0 mark from 0.0.0.0: 1"}},
		{"one, and then the other", ipc.ChecksumAuto, []wire.Form{pseudo, plain}, plain, []string{"g1 s0 mark from 0.0.0.0: 1", "g1 s0 mark from 0.0.0.0: 2"}},
		{"RFC 5798, but it is configured", ipc.ChecksumPlain, []wire.Form{pseudo}, plain, []string{"g1 noticed checksum link=0 vrid=7 from 10.77.0.1: 1 of 1, plain 0, pseudo-header 1"}},
		{"RFC 9568, but it is configured", ipc.ChecksumPseudo, []wire.Form{plain}, pseudo, []string{"g1 noticed checksum link=0 vrid=7 from 10.77.0.1: 1 of 1, plain 1, pseudo-header 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := auto()
			r.Checksum = tt.checksum
			d := configured(t, r)
			var said []string
			for _, form := range tt.hears {
				d.now += second
				d.frame(d.now, advertisement(peer, in(form, 200)))
				said = append(said, d.turn()...)
			}
			d.expect("heard", said, tt.changes...)
			d.now = d.p.next()
			d.turn()
			d.drained()
			got := d.formsSent()
			d.now = d.p.next()
			got = append(got, d.formsSent()...)
			if want := fmt.Sprint([]wire.Form{tt.want, tt.want}); fmt.Sprint(got) != want {
				t.Errorf("takes over with the forms %v, want %v", got, want)
			}
		})
	}
}

// TestAnswerIsUnderstood: an Active changes its form for one that does not know
// of it, and what it answers has the new form already. The goodbye, too.
func TestAnswerIsUnderstood(t *testing.T) {
	t.Parallel()
	d := active(t, auto())
	d.now += 10*second + 100*ms
	if got := d.formsSent(); len(got) == 0 || got[0] != plain {
		t.Fatalf("before: %v", got)
	}
	d.now += 100 * ms
	d.frame(d.now, advertisement(peer, in(pseudo, 50)))
	if got := d.formsSent(); len(got) != 1 || got[0] != pseudo {
		t.Errorf("answers %v, want once with a pseudo-header", got)
	}
	if err := d.p.finish(); err != nil {
		t.Fatal(err)
	}
	if got := d.formsSent(); len(got) != 1 || got[0] != pseudo {
		t.Errorf("says goodbye %v", got)
	}
}

// TestNoFlapping: of two that contend in two forms the one counts that will
// win, as long as it is heard, and for a while after an Active has changed for
// it.
func TestNoFlapping(t *testing.T) {
	t.Parallel()
	strong, weak := peer, netip.MustParseAddr("10.77.0.9")
	hear := func(d *parent, strength uint8, form wire.Form) int {
		source := strong
		if strength < 100 {
			source = weak
		}
		d.frame(d.now, advertisement(source, in(form, strength)))
		return strings.Count(strings.Join(d.turn(), "\n"), "mark from 0.0.0.0")
	}
	t.Run("Backup", func(t *testing.T) {
		t.Parallel()
		r := auto()
		d := configured(t, r)
		changes := 0
		for range 50 {
			d.now += second / 2
			changes += hear(d, 90, pseudo)
			d.now += second / 2
			changes += hear(d, 200, plain)
		}
		if changes != 2 || d.p.routers[0].form() != plain {
			t.Errorf("%d changes, form %v; want 2: for the first, and for the better one", changes, d.p.routers[0].form())
		}
		// The better one is gone, and the other is Active.
		for range aliveIntervals + 1 {
			d.now += second
			changes += hear(d, 90, pseudo)
		}
		if changes != 3 || d.p.routers[0].form() != pseudo {
			t.Errorf("%d changes, form %v; want one more, for who is left", changes, d.p.routers[0].form())
		}
		// A goodbye of whom it follows binds nobody.
		d.now += ms
		changes += hear(d, 200, plain)
		d.frame(d.now, advertisement(strong, in(plain, 0)))
		d.turn()
		d.now += ms
		if changes += hear(d, 90, pseudo); changes != 5 {
			t.Errorf("%d changes, want 5", changes)
		}
	})
	t.Run("Active", func(t *testing.T) {
		t.Parallel()
		r := auto()
		r.Priority = 250
		d := active(t, r)
		changes, began := 0, d.now
		for d.now < began+60*second {
			d.now += second / 2
			changes += hear(d, 90, pseudo)
			d.now += second / 2
			changes += hear(d, 200, plain)
		}
		if changes != 2 || d.p.routers[0].form() != plain {
			t.Errorf("%d changes in a minute, form %v; want 2", changes, d.p.routers[0].form())
		}
		d.now += formHold * second
		if changes += hear(d, 90, pseudo); changes != 3 {
			t.Error("one that is left does not count, long after the other")
		}
	})
	t.Run("Active, of its own form", func(t *testing.T) {
		t.Parallel()
		r := auto()
		r.Priority = 250
		d := active(t, r)
		d.now += second
		changes := hear(d, 200, plain)
		d.now += ms
		if changes += hear(d, 90, pseudo); changes != 1 {
			t.Error("who speaks in the form we have keeps one out that does not hear us")
		}
	})
}

// TestHeldBackIsTold: a form that is not taken over is a notice, once.
func TestHeldBackIsTold(t *testing.T) {
	t.Parallel()
	d := configured(t, auto())
	d.now += second
	d.frame(d.now, advertisement(peer, in(plain, 200)))
	d.expect("the Active", d.turn())
	for i := range 3 {
		d.now += 100 * ms
		d.frame(d.now, advertisement(netip.MustParseAddr("10.77.0.9"), in(pseudo, 90)))
		var want []string
		if i == 0 {
			want = []string{"g1 noticed checksum link=0 vrid=7 from 10.77.0.9: 1 of 1, plain 0, pseudo-header 1"}
		}
		d.expect("another", d.turn(), want...)
	}
}

// TestOnlyAcceptedTeach: what is discarded changes nothing, nor does version 2.
func TestOnlyAcceptedTeach(t *testing.T) {
	t.Parallel()
	both := auto()
	both.Migration = true
	d := configured(t, both)
	d.now += second
	a := in(pseudo, 200)
	a.VRID = 8
	d.frame(d.now, advertisement(peer, a)) // of another router
	d.frame(d.now, advertisement(ours, in(pseudo, 200)))
	spoilt := advertisement(peer, in(pseudo, 200))
	spoilt[26] ^= 0xff // the checksum
	d.frame(d.now, spoilt)
	d.turn()
	if d.p.routers[0].form() != plain {
		t.Error("learned from what was discarded")
	}
	d.frame(d.now, advertisement(peer, in(pseudo, 200)))
	d.expect("version 3", d.turn(), "g1 s0 mark from 0.0.0.0: 1")
	d.now += second
	d.frame(d.now, advertisement(netip.MustParseAddr("10.77.0.8"), good(210)))
	d.expect("version 2", d.turn())
	if d.p.routers[0].form() != pseudo {
		t.Error("learned from version 2")
	}
}

// TestHMACTeaches: only an advertisement whose HMAC verifies.
func TestHMACTeaches(t *testing.T) {
	t.Parallel()
	r := auto()
	r.Auth, r.HMAC = ipc.AuthHMAC, ipc.HMAC{ActiveKey: 1, Mode: 2, Window: 300}
	key := strings.Repeat("k", 32)
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r, ipc.Slot(0), ipc.Secret{ID: 1, Value: []byte(key)},
		ipc.Slot(0), ipc.Mark{Source: ipc.FormSource, Sequence: 6}, linkUp, ipc.Commit{Routers: 1})
	d.turn()
	sign := func(key string) []byte {
		h, err := auth.New(auth.Config{Keys: []auth.Key{{ID: 1, Value: []byte(key)}}, Active: 1, Mode: auth.Enforce, Window: 300e9})
		if err != nil {
			t.Fatal(err)
		}
		a := in(pseudo, 200)
		return packet(peer, h.Sign(wire.Append(nil, &a, peer, wire.GroupIPv4), 0, peer, d.p.wall()))
	}
	d.now += second
	d.frame(d.now, sign(strings.Repeat("x", 32)))
	if d.turn(); d.p.routers[0].form() != plain {
		t.Error("learned from a wrong HMAC")
	}
	d.frame(d.now, sign(key))
	if said := strings.Join(d.turn(), "\n"); !strings.Contains(said, "mark from 0.0.0.0: 7") || d.p.routers[0].form() != pseudo {
		t.Errorf("form %v; it said\n%s", d.p.routers[0].form(), said)
	}
	if marks := d.p.routers[0].auth.hmac.Marks(); len(marks) != 1 || marks[0].Source != peer {
		t.Errorf("senders %v: the mark of the form is none", marks)
	}
}

// TestLearnedIsKept: over a reload, whatever else it changes, and by a process
// that is told what another has learned.
func TestLearnedIsKept(t *testing.T) {
	t.Parallel()
	mark := ipc.Mark{Source: ipc.FormSource, Sequence: 3}
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), auto(), ipc.Slot(0), mark, ipc.Slot(0), ipc.Restore{}, linkUp, ipc.Commit{Routers: 1})
	if got := d.formsSent(); len(got) != 1 || got[0] != pseudo {
		t.Errorf("restored with the forms %v", got)
	}
	d.phase = ipc.PhaseRun
	for _, step := range []struct {
		checksum ipc.Checksum
		priority uint8
		want     wire.Form
	}{{ipc.ChecksumAuto, 101, pseudo}, {ipc.ChecksumPlain, 102, plain}, {ipc.ChecksumAuto, 103, pseudo}} {
		d.generation++
		r := auto()
		r.Checksum, r.Priority = step.checksum, step.priority
		d.say(ipc.Slot(0), r, ipc.Slot(0), mark, ipc.Commit{Routers: 1})
		d.formsSent()
		d.now += second
		if got := d.formsSent(); len(got) != 1 || got[0] != step.want {
			t.Errorf("reload to %v: advertises %v, want %v", step.checksum, got, step.want)
		}
	}
}

// TestSwitchedPeerIsNotReported: at the end nothing is said of a peer that has
// used both forms, where ours was its last.
func TestSwitchedPeerIsNotReported(t *testing.T) {
	t.Parallel()
	d := configured(t, auto())
	for _, form := range []wire.Form{plain, pseudo, pseudo} {
		d.now += second
		d.frame(d.now, advertisement(peer, in(form, 200)))
		d.turn()
	}
	if err := d.p.finish(); err != nil {
		t.Fatal(err)
	}
	d.expect("at the end", d.heard(), "g1 s0 backup->initialize shutdown")
}
