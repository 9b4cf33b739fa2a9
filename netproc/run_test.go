package netproc

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// running is a parent in front of Run itself, in real time.
type running struct {
	*parent
	ended chan error
	words []string // said, and not looked at yet
}

func run(t *testing.T) *running {
	t.Helper()
	d := &parent{t: t, generation: 1, phase: ipc.PhaseConfigure, buf: make([]byte, ipc.MaxDatagram)}
	var o Options
	d.control, d.frames, o.Control, o.Frames = lanes(t)
	o.Landlock = 6
	r := &running{parent: d, ended: make(chan error, 1)}
	go func() { r.ended <- Run(o) }()
	r.hears("g0 hello landlock=6 ours=true")
	return r
}

// next waits for one message and describes it.
func (r *running) next() string {
	r.t.Helper()
	fds := descriptors(ipc.Wait, 1)
	fds[0].Fd, fds[0].Events = int32(r.control.FD()), pollIn
	for deadline := time.Now().Add(patience); len(r.words) == 0; r.words = r.heard() {
		if time.Now().After(deadline) {
			r.t.Fatal("nothing said")
		}
		if _, err := ipc.Wait(fds, time.Until(deadline)); err != nil {
			r.t.Fatal(err)
		}
	}
	word := r.words[0]
	r.words = r.words[1:]
	return word
}

// hears waits until all of want has been said.
func (r *running) hears(want ...string) {
	r.t.Helper()
	var got []string
	for range want {
		got = append(got, r.next())
	}
	r.expect("said", got, want...)
}

// ends waits for the end of Run.
func (r *running) ends() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatal("still running")
		return nil
	}
}

// fast is a version 3 router of the shortest interval: 36.1 ms to a takeover.
func fast() ipc.Router {
	r := record()
	r.Version, r.AdverInterval, r.AnnounceRepeat = 3, 10*ms, 0
	return r
}

// TestRun goes from the start through a takeover to a stop, in real time.
func TestRun(t *testing.T) {
	t.Parallel()
	r := run(t)
	began := time.Now()
	r.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), fast(), linkUp, ipc.Commit{Routers: 1})
	r.hears("g1 ready", "g1 s0 initialize->backup startup")
	r.hears("g1 drain")
	if took, want := time.Since(began), 36*time.Millisecond; took < want {
		t.Errorf("Active_Down_Timer fired after %v, want at least %v", took, want)
	}
	r.drained()
	advertises := "g1 s0 advertise v3 vrid=7 priority=100 every 10ms [10.77.0.254]"
	r.hears(advertises, "g1 s0 acquire", "g1 s0 backup->active active-down")
	r.hears(advertises)
	r.say(ipc.Stop{})
	var got []string
	for len(got) == 0 || !strings.HasSuffix(got[len(got)-1], "shutdown") {
		got = append(got, r.next())
	}
	r.expect("said last", got[len(got)-3:], "g1 s0 advertise v3 vrid=7 priority=0 every 10ms [10.77.0.254]", "g1 s0 release", "g1 s0 active->initialize shutdown")
	if err := r.ends(); err != nil {
		t.Error(err)
	}
}

// TestStop: whatever the phase, and however slowly the parent reads, it hears
// every goodbye.
func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("before hello", func(t *testing.T) {
		t.Parallel()
		r := run(t)
		r.say(ipc.Hello{Build: ipc.Build()}, ipc.Stop{})
		if err := r.ends(); err != nil {
			t.Error(err)
		}
	})
	t.Run("slow parent", func(t *testing.T) {
		t.Parallel()
		const routers = 1000
		r := run(t)
		var say []any
		for i := range routers {
			o := fast()
			o.Link, o.VRID, o.Priority = ipc.Link(i/200), uint8(1+i%200), 255
			say = append(say, ipc.Slot(i), o)
		}
		r.say(ipc.Hello{Build: ipc.Build()})
		for chunk := range 10 {
			r.say(say[chunk*200 : (chunk+1)*200]...)
		}
		for l := range routers / 200 {
			r.say(ipc.LinkState{Link: ipc.Link(l), Up: true, Primary: ours})
		}
		r.say(ipc.Commit{Routers: routers}, ipc.Stop{})
		shutdowns := 0
		for shutdowns < routers {
			if strings.HasSuffix(r.next(), "active->initialize shutdown") {
				shutdowns++
			}
		}
		if err := r.ends(); err != nil {
			t.Error(err)
		}
	})
	t.Run("parent gone while it waits for room", func(t *testing.T) {
		t.Parallel()
		d := active(t, record())
		for err := error(nil); !errors.Is(err, ipc.ErrAgain); err = d.p.control.Send([]byte{0}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		waits, poll := make(chan bool), d.p.poll
		d.p.poll = func(events int16, frames int, timeout time.Duration) (ready, error) {
			waits <- events == pollOut && frames == -1
			return poll(events, frames, timeout)
		}
		ended := make(chan error, 1)
		go func() { ended <- d.p.finish() }()
		if !<-waits {
			t.Error("waits for something else than room")
		}
		d.control.Close()
		if err := (&running{parent: d, ended: ended}).ends(); err != nil {
			t.Error(err)
		}
	})
	t.Run("parent gone while stopping", func(t *testing.T) {
		t.Parallel()
		r := run(t)
		r.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), fast(), linkUp, ipc.Commit{Routers: 1}, ipc.Stop{})
		r.control.Close()
		if err := r.ends(); err != nil {
			t.Error(err)
		}
	})
}

// TestParentGone: the process ends by itself, in every phase.
func TestParentGone(t *testing.T) {
	t.Parallel()
	configure := []any{ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), fast(), linkUp, ipc.Commit{Routers: 1}}
	for name, say := range map[string][]any{
		"before hello": nil, "configuring": configure[:3], "running": configure,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t)
			if say != nil {
				r.say(say...)
			}
			if len(say) == len(configure) {
				r.hears("g1 ready", "g1 s0 initialize->backup startup")
			}
			r.control.Close()
			r.frames.Close()
			if err := r.ends(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRunRefuses: what the parent must not say ends Run with an error.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]ipc.Message{
		"build":     ipc.Hello{Build: "another"},
		"malformed": ipc.Hello{Build: ipc.Build() + "\n"},
		"phase":     ipc.Commit{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t)
			r.say(say)
			if err := r.ends(); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("got %v, want an error that says why", err)
			}
		})
	}
}
