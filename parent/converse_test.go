package parent

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// talking is a parent with a child that is this test.
func talking(t *testing.T) (d *daemon, other *ipc.Conn) {
	t.Helper()
	ours, fd, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	other = ipc.FromFD(fd)
	t.Cleanup(func() { ours.Close(); other.Close() })
	if err := other.SetBuffers(1 << 20); err != nil {
		t.Fatal(err)
	}
	return &daemon{keeper: unread(),
		living: living{datagram: make([]byte, ipc.MaxDatagram)},
		broker: broker{conversing: conversing{child: &child{Child: &children.Child{Control: ours}, phase: ipc.PhaseRun}}, ledger: ledger{generation: 1}, log: slog.New(slog.NewTextHandler(io.Discard, nil))},
	}, other
}

// TestLeaseAfterStall: where we did not run, what the child has said meanwhile is heard
// before its leases end, however much that is; it does not put that off by talking.
func TestLeaseAfterStall(t *testing.T) {
	t.Parallel()
	d, other := talking(t)
	one := ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: 1}, ipc.Drain{})
	const each = 100
	for range 2 * hearMax / each {
		if err := other.Send(bytes.Repeat(one, each)); err != nil {
			t.Fatal(err)
		}
	}
	s := &slot{page: page{grant: grant{name: "eth0/7/ipv4", lease: 3 * time.Second}}}
	d.links, d.slots, d.kernel = []*link{{}}, []*slot{s}, kernel.Over(-1)
	d.show()
	for i, lost := range []bool{false, true} { // all is heard in the second turn
		s.held, s.expires, d.leaseCheck, d.now = true, 1, 1, 2
		if err := d.converse(); err != nil {
			t.Fatal(err)
		}
		d.outgoing = ipc.Batch{}
		if d.leasesDue(); s.held == lost {
			t.Errorf("turn %d: held %t", i, s.held)
		}
	}
	d.unheard = d.now
	for _, tt := range []struct {
		after int64
		lost  bool
	}{{0, false}, {hearTime - 1, false}, {hearTime, true}} {
		s.held, s.expires, d.leaseCheck, d.now = true, 1, 1, d.unheard+tt.after
		if d.leasesDue(); s.held == tt.lost {
			t.Errorf("after %v of talking: held %t", time.Duration(tt.after), s.held)
		}
	}
}

// TestConverseIsBounded: a turn hears no more than it has room for, however
// fast the child talks, and the next one goes on where it stopped.
func TestConverseIsBounded(t *testing.T) {
	t.Parallel()
	d, other := talking(t)
	one := ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: 1}, ipc.Drain{})
	const each, datagrams = 100, 50
	for range datagrams {
		if err := other.Send(bytes.Repeat(one, each)); err != nil {
			t.Fatal(err)
		}
	}
	heard := 0
	for turns := 1; heard < datagrams*each; turns++ {
		if err := d.converse(); err != nil {
			t.Fatal(err)
		}
		answer := len(ipc.Append(nil, ipc.Header{}, ipc.Result{}))
		n := d.outgoing.Len() / answer
		if n == 0 || n > hearMax+each {
			t.Fatalf("turn %d has heard %d messages, room is for %d", turns, n, hearMax)
		}
		heard += n
		d.outgoing = ipc.Batch{}
	}
	if _, err := d.child.Control.Recv(d.datagram); !errors.Is(err, ipc.ErrAgain) {
		t.Errorf("after the last turn: %v", err)
	}
}

// TestReadyIsAwaited: Ready is heard once for each configuration that the child was
// told, and of that; any other is a violation, for what follows it is dear.
func TestReadyIsAwaited(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		phase      ipc.Phase
		told       bool
		generation uint32
		ok         bool
	}{
		{"at the start", ipc.PhaseConfigure, true, 1, true},
		{"at a reload", ipc.PhaseRun, true, 1, true},
		{"crossing Stop", ipc.PhaseStop, true, 1, true},
		{"nobody waits", ipc.PhaseRun, false, 1, false},
		{"nobody waits after Stop", ipc.PhaseStop, false, 1, false},
		{"of the generation before", ipc.PhaseRun, true, 0, false},
		{"of the next one", ipc.PhaseRun, true, 2, false},
	} {
		d, _ := talking(t)
		d.child.phase, d.child.told = tt.phase, tt.told
		h := ipc.Header{Type: ipc.TypeReady, Slot: ipc.NoSlot, Generation: tt.generation}
		if err := d.heard(h, nil); (err == nil) != tt.ok || err != nil && !errors.As(err, new(*violation)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := d.heard(h, nil); err == nil {
			t.Errorf("%s: heard twice", tt.name)
		}
	}
}

// TestBeat: a child that says something lives, whatever it is, and is asked for nothing; one that says
// nothing is pinged, and hangs when it still has said nothing after a while. The watchdog is fed for
// what was said, once for each look at it, however much it is.
func TestBeat(t *testing.T) {
	t.Parallel()
	d, _ := talking(t)
	d.manager, d.child.phase = &manager{fd: -1, watchdog: 1}, ipc.PhaseRun
	d.now = int64(time.Hour)
	look := func() (hung, fed, pinged bool) {
		d.now += pingEvery
		was, owed := d.manager.fed, d.heart.owed
		hung = d.beat()
		return hung, d.manager.fed != was, d.heart.owed != owed && d.heart.owed != 0
	}
	if hung, fed, pinged := look(); hung || fed || !pinged {
		t.Errorf("silent: hung %v, fed %v, pinged %v", hung, fed, pinged)
	}
	for _, kind := range []ipc.Type{ipc.TypePing, ipc.TypeDrain} {
		was := d.manager.fed
		if kind == ipc.TypePing { // that answers none of ours
			d.heart.owed = 0
		}
		if err := d.heard(ipc.Header{Type: kind, Slot: ipc.NoSlot, Generation: 1}, nil); err != nil {
			t.Fatal(err)
		}
		if d.manager.fed != was {
			t.Errorf("%v: fed at once", kind)
		}
		d.heart.heard = true // as converse does
		if hung, fed, pinged := look(); hung || !fed || pinged || d.heart.owed != 0 {
			t.Errorf("%v: hung %v, fed %v, pinged %v, owed %v", kind, hung, fed, pinged, d.heart.owed)
		}
	}
	look()
	for waited := pingEvery; ; waited += pingEvery {
		if hung, fed, _ := look(); fed {
			t.Fatal("fed while it says nothing")
		} else if hung != (waited > hungAfter) {
			t.Fatalf("hung after %v: %v", time.Duration(waited), hung)
		} else if hung {
			break
		}
	}
}

// TestPatience: a back-off that leases would not survive comes with the fourth
// crash only.
func TestPatience(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		crashes int
		left    time.Duration // of the lease; 0: nothing is held
		want    time.Duration
	}{
		{"10 ms, first", 0, 30 * ms, 0},
		{"10 ms, second", 1, 30 * ms, 0},
		{"10 ms, third", 2, 30 * ms, 0},
		{"10 ms, fourth", 3, 30 * ms, 500 * ms},
		{"10 ms, fifth", 4, 30 * ms, time.Second},
		{"100 ms, second", 1, 200 * ms, 50 * ms},
		{"100 ms, second, and no time to start", 1, 55 * ms, 0},
		{"100 ms, third", 2, 200 * ms, 0},
		{"1 s, third", 2, 2 * time.Second, 200 * ms},
		{"Backup, third", 2, 0, 200 * ms},
	} {
		d := &daemon{keeper: unread(), living: living{crashes: make([]int64, tt.crashes)}, broker: broker{now: int64(time.Hour)}}
		long := &slot{page: page{held: true, expires: d.now + int64(time.Hour)}}
		d.slots = []*slot{nil, long, {page: page{held: tt.left > 0, expires: d.now + int64(tt.left)}}}
		if got := d.patience(backOff[tt.crashes]); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestStruck: a child that a signal for all has ended before it could ignore it is followed
// by another one at once; any other end before it is ready ends the daemon.
func TestStruck(t *testing.T) {
	t.Parallel()
	const struck = unix.WaitStatus(2 << 8)
	for _, tt := range []struct {
		name  string
		end   unix.WaitStatus
		words string
		phase ipc.Phase
		want  int // children after the first
	}{
		{"struck", struck, "", ipc.PhaseHello, children.StruckTries},
		{"a panic", struck, "panic: at the disco", ipc.PhaseHello, 0},
		{"no walls", 70 << 8, "", ipc.PhaseHello, 0},
		{"killed", unix.WaitStatus(unix.SIGKILL), "", ipc.PhaseHello, 0},
		{"later", struck, "", ipc.PhaseConfigure, 0},
	} {
		d := fuzzed()
		d.spawner = deathbed(t, []byte(tt.words), tt.end)
		if err := d.spawn(); err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			d.child.phase = tt.phase
			err := d.buried()
			if err == nil && d.child != nil && n < tt.want {
				continue
			}
			if n != tt.want || err == nil || !strings.HasPrefix(err.Error(), "network process did not start: ") {
				t.Errorf("%s: %d more children, %v", tt.name, n, err)
			}
			break
		}
	}
}
