package parent

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// employed is a parent whose chores this test does.
func employed(t *testing.T) (d *daemon, asks <-chan func() []error, done func(errs ...error)) {
	t.Helper()
	d, _, e := besieged(t)
	t.Cleanup(func() { e.close() })
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[0]); unix.Close(pipe[1]) })
	asked, results := make(chan func() []error, 1), make(chan []error, 1)
	d.chores = chores{worker: worker[[]error]{fd: pipe[0], asks: asked, results: results}}
	return d, asked, func(errs ...error) {
		results <- errs
		if _, err := unix.Write(pipe[1], []byte{0}); err != nil {
			t.Error(err)
		}
	}
}

// TestChores: one is done at a time, beside the loop, and those that can wait leave room for
// what cannot.
func TestChores(t *testing.T) {
	t.Parallel()
	d, asks, done := employed(t)
	one, two := d.slots[0], d.slots[3]
	d.lowering, one.lowering, two.lowering = []*page{&one.page, &two.page}, true, true
	d.doomed = []int{7, 8}
	if due := d.choreDue(); due != d.now {
		t.Errorf("due at %d, now is %d", due, d.now)
	}
	d.tidy()
	d.tidy()
	if len(asks) != 1 || !d.chores.busy || d.choreDue() != never || !one.lowering {
		t.Fatalf("asked %d times, busy %t, due %d", len(asks), d.chores.busy, d.choreDue())
	}
	<-asks
	d.chores.began -= int64(time.Second)
	done(nil)
	d.choreDone()
	if d.chores.busy || one.lowering || !two.lowering {
		t.Errorf("busy %t, %t, %t", d.chores.busy, one.lowering, two.lowering)
	}
	// The next after a share of the time that it has taken.
	for _, after := range []time.Duration{0, time.Second, 5 * time.Second} {
		d.now += int64(after)
		d.tidy()
		if begun := len(asks) == 1; begun != (after == 5*time.Second) {
			t.Errorf("after %v: begun %t", after, begun)
		}
	}
	<-asks
	done(errors.New("no such device"))
	d.choreDone()
	d.now = d.chores.next
	d.tidy()
	if len(d.doomed) != 0 || len(asks) != 1 {
		t.Errorf("doomed %v, asked %d times", d.doomed, len(asks))
	}
	<-asks
	done(nil)
	d.choreDone()
	if d.choreDue() != never || two.lowering {
		t.Errorf("due at %d", d.choreDue())
	}
}

// TestChoreOf: what concerns a device that a chore is about waits for that, and nothing
// else does; with a change of addresses the others wait for a while.
func TestChoreOf(t *testing.T) {
	t.Parallel()
	d, asks, done := employed(t)
	one, held := d.slots[0], d.slots[1]
	d.lowering, one.lowering = []*page{&one.page}, true
	d.tidy()
	<-asks
	if err := d.give(&held.page); err != nil || !d.chores.busy || held.held {
		t.Errorf("%v, busy %t, held %t", err, d.chores.busy, held.held)
	}
	go done(nil)
	if err := d.take(&one.page); err != nil || d.chores.busy || one.lowering || !one.held {
		t.Errorf("%v, busy %t, lowering %t, held %t", err, d.chores.busy, one.lowering, one.held)
	}
	if len(d.lowering) != 1 || d.choreDue() < d.now+choreRest {
		t.Errorf("%d to be set down, due in %v", len(d.lowering), time.Duration(d.choreDue()-d.now))
	}
	// The byte of a chore that was waited for is no other one's.
	for range 100 {
		d.choreDone()
	}
	// Addresses that are to live on do not wait, and one that was given back is left out.
	d.reviveSoon(&one.page)
	d.tidy()
	if len(asks) != 1 || !d.chores.busy {
		t.Fatalf("asked %d times", len(asks))
	}
	<-asks
	go done(errors.New("no"))
	if err := d.give(&one.page); err != nil || d.chores.busy || one.aged != 0 {
		t.Errorf("%v, busy %t, aged %d", err, d.chores.busy, one.aged)
	}
	go func() {
		for range asks {
			done(nil, nil)
		}
	}()
	d.finishChores()
	if len(d.reviving) != 0 || one.reviving {
		t.Errorf("%d to be revived", len(d.reviving))
	}
}
