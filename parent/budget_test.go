package parent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// watched is a log that is written to and looked at by several.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *watched) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

func (k *watched) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func (k *watched) Len() int { return len(k.String()) }

func (k *watched) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text.Reset()
}

// noisy is a parent with many virtual routers, and its log.
func noisy(routers int) (*daemon, *watched) {
	log := &watched{}
	d := fuzzed()
	d.log = slog.New(newBudget(slog.NewTextHandler(log, nil)))
	first := *d.slots[0]
	d.slots = nil
	for i := range routers {
		s := first
		s.slot, s.name = ipc.Slot(i), fmt.Sprintf("eth%d/7/ipv4", i)
		d.slots = append(d.slots, &s)
	}
	d.show()
	return d, log
}

// turns reports a transition of a slot.
func turns(t *testing.T, d *daemon, slot int, m ipc.StateChange) {
	t.Helper()
	d.now = ipc.Monotonic()
	if err := d.report(ipc.Header{Slot: ipc.Slot(slot), Generation: d.generation}, m); err != nil {
		t.Fatal(err)
	}
}

// counted sums what the lines on what was left out tell.
func counted(log, pattern string) (n int) {
	for _, m := range regexp.MustCompile(pattern+`.* count=(\d+)`).FindAllStringSubmatch(log, -1) {
		count, _ := strconv.Atoi(m[1])
		n += count
	}
	return n
}

var (
	up   = ipc.StateChange{From: ipc.Backup, To: ipc.Active, Peer: netip.MustParseAddr("10.9.0.1"), Priority: 200}
	down = ipc.StateChange{From: ipc.Active, To: ipc.Backup, Peer: netip.MustParseAddr("10.9.0.1"), Priority: 200}
)

// TestTransitionsCounted: every transition has a line, or is in the count of
// those that have none; one that follows a quiet time has one.
func TestTransitionsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, log := noisy(1)
		const transitions, span = 1000, 100 * time.Second
		for i := range transitions {
			turns(t, d, 0, []ipc.StateChange{up, down}[i%2])
			time.Sleep(span / transitions)
		}
		time.Sleep(2 * budgetPause)
		synctest.Wait()
		lines := strings.Count(log.String(), "->") - strings.Count(log.String(), "last=")
		if n := counted(log.String(), `transitions not logged" vr=eth0/7/ipv4`); lines+n != transitions || lines < routerLines {
			t.Errorf("%d transitions: %d lines, %d counted", transitions, lines, n)
		}
		if n := strings.Count(log.String(), "transitions not logged"); n > int(span/budgetPause)+1 {
			t.Errorf("%d lines with counts", n)
		}
		time.Sleep(time.Hour)
		log.Reset()
		turns(t, d, 0, up)
		if !strings.Contains(log.String(), "backup->active") {
			t.Errorf("after an hour: %q", log.String())
		}
	})
}

// TestNeighborFillsNoLog: a hundred virtual routers that a neighbor has change
// their roles ten times a second write what docs/threats.md says, and the one
// change of another is not lost among them.
func TestNeighborFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const routers, seconds = 100, 400
		d, log := noisy(routers + 1)
		flap := func(seconds int) {
			for i := range seconds * 10 {
				for r := range routers {
					turns(t, d, r, []ipc.StateChange{up, down}[i%2])
				}
				time.Sleep(100 * time.Millisecond)
			}
			synctest.Wait()
		}
		flap(60)
		first := log.Len()
		log.Reset()
		turns(t, d, routers, up)
		if want := "vr=eth100/7/ipv4"; !strings.Contains(log.String(), "backup->active") || !strings.Contains(log.String(), want) {
			t.Errorf("a real change: %q, want %s", log.String(), want)
		}
		log.Reset()
		flap(seconds)
		t.Logf("%d bytes in the first minute, then %d a second", first, log.Len()/seconds)
		if first > 256<<10 || log.Len()/seconds > 2<<10 {
			t.Errorf("%d bytes in the first minute, then %d a second", first, log.Len()/seconds)
		}
		if n := strings.Count(log.String(), `vr=eth7/7/ipv4`); n > seconds/5+1 {
			t.Errorf("%d lines on one router in %d s", n, seconds)
		}
	})
}

// TestErrorsHaveRoom: what fails has lines of its own beside a router that flaps and
// beside others that flap, and beside reports; the rest of it is counted, and bounded.
func TestErrorsHaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const routers = 200
		d, log := noisy(routers)
		for i := range 600 {
			for r := range routers {
				turns(t, d, r, []ipc.StateChange{up, down}[i%2])
			}
			if err := d.remarked(0, "packets dropped", "ttl", strings.Repeat("x", ipc.MaxHint), netip.Addr{}, 1, 1, 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		log.Reset()
		d.log.ErrorContext(hearsay, "lease lost", "vr", d.slots[3].name, "because", "test")
		d.log.ErrorContext(hearsay, "release failed", "vr", d.slots[3].name, "error", "test")
		d.log.ErrorContext(hearsay, "send failed", "link", linkName{"eth7", ipc.IPv4}, "error", "test")
		for _, want := range []string{`"lease lost" vr=eth3/7/ipv4`, `"release failed" vr=eth3/7/ipv4`, `"send failed" link=eth7/ipv4`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %s in\n%s", want, log.String())
			}
		}
		log.Reset()
		const errors, seconds = 1000, 100
		for range errors {
			d.log.ErrorContext(hearsay, "release failed", "vr", d.slots[5].name, "error", "test")
			time.Sleep(seconds * time.Second / errors)
		}
		time.Sleep(2 * budgetPause)
		synctest.Wait()
		lines, left := strings.Count(log.String(), `msg="release failed"`), counted(log.String(), `errors not logged" of=eth5/7/ipv4`)
		if lines+left != errors || lines > routerLines+seconds/10 || lines < shareLines {
			t.Errorf("%d lines and %d counted of %d", lines, left, errors)
		}
	})
}

// TestChildFillsNoLog: a child that says as much as it can, in the longest
// words, of two hundred virtual routers writes what docs/threats.md says, and
// what the parent itself has to say is not lost.
func TestChildFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const routers, seconds = 200, 150
		d, log := noisy(routers)
		hint := strings.Repeat(`"`, ipc.MaxHint)
		m := up
		m.Verdict, m.Hint = ipc.Verdict(1), hint
		said, all := 0, ""
		storm := func(seconds int) {
			for range seconds * 2 {
				for r := range routers {
					turns(t, d, r, m)
					d.log.ErrorContext(hearsay, "lease lost", "vr", d.slots[r].name, "because", "test")
					if err := d.looked(ipc.Header{Slot: ipc.Slot(r), Generation: d.generation}, ipc.Looked{Hint: hint}); err != nil {
						t.Fatal(err)
					}
					if err := d.remarked(0, "packets dropped", "ttl", hint, netip.Addr{}, 1, 1, 1); err != nil {
						t.Fatal(err)
					}
					said += 4
				}
				time.Sleep(500 * time.Millisecond)
			}
			synctest.Wait()
		}
		storm(22)
		first := log.Len()
		all += log.String()
		log.Reset()
		d.log.Error("network process hangs")
		if !strings.Contains(log.String(), "hangs") {
			t.Error("the parent's own line is lost")
		}
		log.Reset()
		storm(seconds)
		t.Logf("%d bytes in 22 s, then %d a second", first, log.Len()/seconds)
		// Both budgets, and for each router two lines of 120 bytes in ten seconds, one
		// of them on errors.
		if most := 2*budgetRate + 2*routers*120/10; first > 704<<10 || log.Len()/seconds > most {
			t.Errorf("%d bytes in 22 s, then %d a second", first, log.Len()/seconds)
		}
		time.Sleep(2 * budgetPause)
		synctest.Wait()
		all += log.String()
		left, lines := counted(all, "(?:transitions|reports|errors) not logged"), 0
		for line := range strings.Lines(all) {
			if !strings.Contains(line, "not logged") {
				lines++
			}
		}
		if left+lines != said {
			t.Errorf("%d said, %d logged and %d counted", said, lines, left)
		}
	})
}

// TestLastWordsAreOneLine: what a child leaves behind is one line, however many
// it makes of it.
func TestLastWordsAreOneLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := fuzzed()
	d.log = slog.New(slog.NewTextHandler(&log, nil))
	d.spawner = deathbed(t, bytes.Repeat([]byte("x\n"), 64<<10), 0)
	if err := d.spawn(); err != nil {
		t.Fatal(err)
	}
	d.end()
	if n := strings.Count(log.String(), "network process says"); n != 1 || log.Len() < 4<<10 || log.Len() > 24<<10 {
		t.Errorf("%d lines, %d bytes", n, log.Len())
	}
}

// deathbed is a spawner whose children write this before they die, and end so.
func deathbed(t *testing.T, words []byte, end unix.WaitStatus) *children.Spawner {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]) })
	go func() {
		defer unix.Close(pair[1])
		b, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*ipc.SpawnDescriptors))
		for {
			n, oobn, _, _, err := unix.Recvmsg(pair[1], b, oob, 0)
			if err != nil || n == 0 {
				return
			}
			messages, _ := unix.ParseSocketControlMessage(oob[:oobn])
			for i := range messages {
				fds, _ := unix.ParseUnixRights(&messages[i])
				unix.Write(fds[0], words)
				for _, fd := range fds {
					unix.Close(fd)
				}
			}
			unix.Write(pair[1], append(binary.NativeEndian.AppendUint32([]byte{b[2]}, uint32(end)), 0, 0, 0, 0))
		}
	}()
	return children.Over(pair[0], map[ipc.Program]int{ipc.NetprocProgram: 0})
}
