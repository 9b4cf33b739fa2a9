package logger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/ipc/rights"
	"github.com/rvrrpd/rvrrpd/keeper"
	"golang.org/x/sys/unix"
)

// stage is a spawner whose children are goroutines of this test.
type stage struct {
	t       *testing.T
	fd      int
	run     func(control, asks *ipc.Conn) // a keeper
	ending  int                           // the wait status of each
	mutex   sync.Mutex
	control *ipc.Conn // of the one there is
	started int
}

func newStage(t *testing.T, ending int, run func(control, asks *ipc.Conn)) (*stage, *children.Spawner) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, fd: pair[1], run: run, ending: ending}
	go s.serve()
	spawner := children.Over(pair[0], map[ipc.Program]int{ipc.KeeperProgram: 0})
	t.Cleanup(func() { spawner.Close() })
	return s, spawner
}

func (s *stage) serve() {
	defer unix.Close(s.fd)
	b, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*ipc.SpawnDescriptors))
	for {
		n, oobn, _, _, err := unix.Recvmsg(s.fd, b, oob, 0)
		if err != nil || n == 0 {
			return
		}
		fds, _ := rights.Of(oob[:oobn])
		number := 0
		switch b[0] {
		case ipc.SpawnStart:
			s.mutex.Lock()
			s.started++
			control, asks := ipc.FromFD(fds[1]), ipc.FromFD(fds[2])
			s.control = control
			s.mutex.Unlock()
			for _, fd := range []int{fds[0], fds[3]} {
				unix.Close(fd)
			}
			go func() { // which may use it after its end: nobody closes it
				s.run(control, asks)
				_ = unix.Shutdown(control.FD(), unix.SHUT_RDWR)
			}()
			number = 1001
		case ipc.SpawnEnd:
			number = s.ending
		}
		a := binary.NativeEndian.AppendUint32([]byte{b[2]}, uint32(number))
		if _, err := unix.Write(s.fd, append(a, 0, 0, 0, 0)); err != nil {
			return
		}
	}
}

// starts says how many keepers there have been.
func (s *stage) starts() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.started
}

// honest is what rvrrpd-keeper does.
func honest(t *testing.T) func(control, asks *ipc.Conn) {
	return func(control, asks *ipc.Conn) {
		if err := keeper.Run(control, asks); err != nil {
			t.Errorf("keeper: %v", err)
		}
	}
}

// open makes a log that is written to a file.
func open(t *testing.T) (*Logger, string) {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	l.Sink(keeping.Sink{Name: "main_log", Least: slog.LevelDebug - 8}, int(f.Fd()))
	return l, path
}

// written closes a log, and returns what stands in its file.
func written(t *testing.T, l *Logger, path string) string {
	t.Helper()
	var plain strings.Builder
	if l.Close(&plain); plain.Len() > 0 {
		t.Errorf("written plainly:\n%s", plain.String())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// turn is what the loop does until something is so.
func turn(t *testing.T, l *Logger, until func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !until(); {
		if time.Now().After(end) {
			t.Fatal("nothing happens")
		}
		_ = l.wait(min(l.Due(), ipc.Monotonic()+int64(10*time.Millisecond)))
		if err := l.Turn(ipc.Monotonic(), true); err != nil {
			t.Fatal(err)
		}
	}
}

func at(level slog.Level, text string, args ...any) slog.Record {
	r := slog.NewRecord(time.Date(2026, 11, 4, 13, 5, 9, 123456789, time.FixedZone("", 3600)), level, text, 0)
	r.Add(args...)
	return r
}

// TestFormats: lines are written as the configuration says, from its level on.
func TestFormats(t *testing.T) {
	t.Parallel()
	local := time.Date(2026, 11, 4, 12, 5, 9, 123456000, time.UTC).Local()
	for _, tt := range []struct{ zone, format, log, want string }{
		{"utc", "disabled", "text", "time=2026-11-04T12:05:09.123Z level=WARN msg=\"it happens\" vr=eth0/7/ipv4 for=1s\n"},
		{"utc", "short", "text", "time=\"Nov  4 2026 12:05:09\" level=WARN "},
		{"utc", "rfc2822", "text", "time=\"Wed, 04 Nov 2026 12:05:09 +0000\" level=WARN "},
		{"utc", "rfc3339", "text", "time=2026-11-04T12:05:09.123456Z level=WARN "},
		{"local", "rfc3339", "text", "time=" + local.Format("2006-01-02T15:04:05.000000Z07:00") + " level=WARN "},
		{"utc", "rfc3339", "json", `{"time":"2026-11-04T12:05:09.123456Z","level":"WARN","msg":"it happens","vr":"eth0/7/ipv4","for":1000000000}` + "\n"},
	} {
		l, path := open(t)
		_, spawner := newStage(t, 0, honest(t))
		l.Follow(&conf.Config{TimeZone: tt.zone, TimeFormat: tt.format, LogFormat: tt.log}, slog.LevelInfo)
		if err := l.Start(spawner); err != nil {
			t.Fatal(err)
		}
		if l.Enabled(context.Background(), slog.LevelDebug) || !l.Enabled(context.Background(), slog.LevelInfo) {
			t.Error("the level is another")
		}
		_ = l.Handle(context.Background(), at(slog.LevelWarn, "it happens", "vr", "eth0/7/ipv4", "for", time.Second))
		if got := written(t, l, path); !strings.HasPrefix(got, tt.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// spoken has words of its own, and nothing that JSON sees.
type spoken struct{ word string }

func (s spoken) String() string { return s.word }

// pointed has them behind a pointer.
type pointed struct{ word string }

func (p *pointed) String() string {
	if p == nil {
		return "<nil>"
	}
	return p.word
}

// TestAttributes: every kind of value that is logged says the same in text and
// in JSON.
func TestAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		text  string
		json  any
	}{
		{spoken{"eth0/ipv4"}, "eth0/ipv4", "eth0/ipv4"},
		{&pointed{"there"}, "there", "there"},
		{(*pointed)(nil), "<nil>", "<nil>"},
		{[]spoken{{"one"}, {"two"}}, `"[one two]"`, []any{"one", "two"}},
		{[]spoken{}, "[]", []any{}},
		{[]error{errors.New("one")}, "[one]", []any{"one"}},
		{net.HardwareAddr{0, 0, 0x5e, 0, 1, 7}, "00:00:5e:00:01:07", "00:00:5e:00:01:07"},
		{netip.MustParseAddr("192.0.2.1"), "192.0.2.1", "192.0.2.1"},
		{netip.MustParsePrefix("192.0.2.1/24"), "192.0.2.1/24", "192.0.2.1/24"},
		{[]netip.Addr{netip.MustParseAddr("192.0.2.1")}, "[192.0.2.1]", []any{"192.0.2.1"}},
		{errors.New("broken"), "broken", "broken"},
		{[]string{"a", "b"}, `"[a b]"`, []any{"a", "b"}},
		{7, "7", 7.0},
		{uint64(1) << 62, "4611686018427387904", float64(uint64(1) << 62)},
		{true, "true", true},
		{1500 * time.Millisecond, "1.5s", 1.5e9},
		{nil, "<nil>", nil},
	} {
		for _, format := range []string{"text", "json"} {
			l, path := open(t)
			_, spawner := newStage(t, 0, honest(t))
			l.Follow(&conf.Config{TimeFormat: "disabled", LogFormat: format}, slog.LevelInfo)
			if err := l.Start(spawner); err != nil {
				t.Fatal(err)
			}
			slog.New(l).Info("it happens", "value", tt.value)
			got := written(t, l, path)
			var line map[string]any
			switch {
			case format == "text" && !strings.HasSuffix(got, " value="+tt.text+"\n"):
				t.Errorf("%T: text %q, want value=%s", tt.value, got, tt.text)
			case format == "json" && (json.Unmarshal([]byte(got), &line) != nil || !reflect.DeepEqual(line["value"], tt.json)):
				t.Errorf("%T: JSON %s, want %v", tt.value, got, tt.json)
			}
		}
	}
}

// TestSuccessor: the lines that a dead keeper has not read the next one writes, in their order.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	l, path := open(t)
	var second atomic.Bool
	s, spawner := newStage(t, int(unix.SIGKILL), func(control, asks *ipc.Conn) {
		if !second.Swap(true) { // it dies behind its walls, and reads nothing
			_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
			_, _ = ipc.Wait([]unix.PollFd{{Fd: int32(control.FD()), Events: unix.POLLIN}}, -1)
			return
		}
		honest(t)(control, asks)
	})
	l.Follow(&conf.Config{TimeFormat: "disabled"}, slog.LevelInfo)
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	slog.New(l).Info("one")
	turn(t, l, func() bool { return l.written })
	slog.New(l).Info("two")
	turn(t, l, func() bool { return s.starts() == 2 && l.begun })
	slog.New(l).Info("three")
	got := written(t, l, path)
	one, two, lost, three := strings.Index(got, "msg=one"), strings.Index(got, "msg=two"), strings.Index(got, `msg="keeper lost" error="SIGKILL: "`), strings.Index(got, "msg=three")
	if one < 0 || two < one || lost < one || three < max(two, lost) {
		t.Errorf("%s", got)
	}
}

// TestNoKeeper: a keeper that never gets behind its walls is an error, with its last words;
// one that a signal has struck is not.
func TestNoKeeper(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		ending int
		hello  string
		starts int
		want   string
	}{
		{"walls", 70 << 8, "", 1, "keeper did not start: exit status 70: "},
		{"struck", 2 << 8, "", 1 + children.StruckTries, "keeper did not start: exit status 2: "},
		{"another build", 0, "other", 1, "keeper did not start: rvrrpd-keeper is build \"other\""},
	} {
		l, _ := open(t)
		s, spawner := newStage(t, tt.ending, func(control, asks *ipc.Conn) {
			if tt.hello != "" {
				_ = control.Send(append([]byte{byte(keeping.Hello)}, tt.hello...))
				time.Sleep(time.Second)
			}
		})
		if err := l.Start(spawner); err != nil {
			t.Fatal(err)
		}
		var err error
		for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); {
			_ = l.wait(l.Due())
			err = l.Turn(ipc.Monotonic(), true)
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || s.starts() != tt.starts || l.written {
			t.Errorf("%s: %d starts, %v", tt.name, s.starts(), err)
		}
		l.Close(io.Discard)
	}
}

// TestLost: lines that find no room are counted in their place, and nobody waits.
func TestLost(t *testing.T) {
	t.Parallel()
	l, path := open(t)
	l.Follow(&conf.Config{TimeFormat: "disabled"}, slog.LevelInfo)
	said := 0
	for ; l.lost < 100; said++ {
		slog.New(l).Info("line", "number", said, "long", strings.Repeat("x", 4096))
	}
	_, spawner := newStage(t, 0, honest(t))
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	turn(t, l, func() bool { return l.begun })
	for l.lost > 0 { // the next one that finds room tells of those before
		slog.New(l).Info("line", "number", said)
		said++
		time.Sleep(time.Millisecond)
	}
	turn(t, l, func() bool { n, err := unix.IoctlGetInt(l.lines.FD(), unix.SIOCOUTQ); return err == nil && n == 0 })
	got := written(t, l, path)
	lines, lost := strings.Count(got, "msg=line"), 0
	for line := range strings.Lines(got) {
		if _, n, is := strings.Cut(line, `msg="log lines lost" count=`); is {
			count := 0
			fmt.Sscan(n, &count)
			lost += count
		}
	}
	if lost < 100 || lines+lost != said {
		t.Errorf("%d said, %d written, %d lost", said, lines, lost)
	}
}

// TestMark: what was said before a mark is written when it is answered, and a temporary sink
// gets no more.
func TestMark(t *testing.T) {
	t.Parallel()
	l, path := open(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l.Sink(keeping.Sink{Name: "launcher", Least: slog.LevelWarn, Temporary: true}, int(w.Fd()))
	_, spawner := newStage(t, 0, honest(t))
	l.Follow(&conf.Config{TimeFormat: "disabled"}, slog.LevelInfo)
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	slog.New(l).Info("quiet")
	slog.New(l).Warn("loud")
	marked := false
	l.Mark(func() { marked = true })
	slog.New(l).Warn("after")
	turn(t, l, func() bool { return marked })
	w.Close()
	b := make([]byte, 4096)
	n, _ := r.Read(b)
	if got := string(b[:n]); !strings.Contains(got, "msg=loud") || strings.Count(got, "\n") != 1 {
		t.Errorf("temporary: %q", got)
	}
	if n, err := r.Read(b); n > 0 || err == nil {
		t.Errorf("and then %q, %v", b[:n], err)
	}
	if got := written(t, l, path); strings.Count(got, "\n") != 3 {
		t.Errorf("%s", got)
	}
}

// TestMarkOfDead: a keeper that dies before it answers keeps nobody waiting.
func TestMarkOfDead(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	_, spawner := newStage(t, int(unix.SIGKILL), func(control, asks *ipc.Conn) {
		_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
		time.Sleep(100 * time.Millisecond)
	})
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	marked := false
	l.Mark(func() { marked = true })
	turn(t, l, func() bool { return marked })
}

// TestRedirect: a log goes on in another file, behind what was said before.
func TestRedirect(t *testing.T) {
	t.Parallel()
	l, path := open(t)
	_, spawner := newStage(t, 0, honest(t))
	l.Follow(&conf.Config{TimeFormat: "disabled"}, slog.LevelInfo)
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	slog.New(l).Info("before")
	turn(t, l, func() bool { b, _ := os.ReadFile(path); return len(b) > 0 })
	other := filepath.Join(t.TempDir(), "other")
	f, err := os.Create(other)
	if err != nil {
		t.Fatal(err)
	}
	l.Redirect("main_log", int(f.Fd()))
	f.Close()
	slog.New(l).Info("after")
	if got := written(t, l, path); strings.Contains(got, "after") {
		t.Errorf("before: %s", got)
	}
	if got, err := os.ReadFile(other); err != nil || !strings.Contains(string(got), "msg=after") {
		t.Errorf("after: %s, %v", got, err)
	}
}

// TestJournal: lines for the journal come by the parent, each with its priority and without a
// time; a journal that is not read keeps nobody waiting.
func TestJournal(t *testing.T) {
	t.Parallel()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.stderr = pair[0]
	l.Sink(keeping.Sink{Name: "stderr"}, -1)
	_, spawner := newStage(t, 0, honest(t))
	l.Follow(&conf.Config{TimeFormat: "disabled"}, slog.LevelInfo)
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	const lines = 3000 // more than the socket has room for
	for range lines {
		slog.New(l).Error("it happens", "long", strings.Repeat("x", 100))
		if l.lost > 0 {
			t.Fatal("no room on the lane")
		}
	}
	turn(t, l, func() bool { return len(l.pending) > 0 })
	if said, asked := l.FDs(); said != -1 || asked == -1 || l.Due() > ipc.Monotonic()+int64(20*time.Millisecond) {
		t.Errorf("descriptors %d and %d, due in %v", said, asked, time.Duration(l.Due()-ipc.Monotonic()))
	}
	text := make(chan string)
	go func() {
		var all []byte
		b := make([]byte, 64<<10)
		for n := 1; n > 0; {
			n, _ = unix.Read(pair[1], b)
			all = append(all, b[:max(0, n)]...)
		}
		text <- string(all)
	}()
	l.Close(io.Discard)
	unix.Close(pair[0])
	got := <-text
	lost := strings.Count(got, "<4>level=WARN msg=\"log lines lost\"")
	if n := strings.Count(got, "\n"); n < 1000 || strings.Count(got, "<3>level=ERROR msg=\"it happens\"")+lost != n {
		t.Errorf("%d lines, %d with a priority: %.200s", n, strings.Count(got, "<3>"), got)
	}
}

// TestBabble: a keeper that says what it must not is ended, and the next one begins.
func TestBabble(t *testing.T) {
	t.Parallel()
	for name, say := range map[string][]byte{"unknown": {'?'}, "again": append([]byte{byte(keeping.Hello)}, ipc.Build()...)} {
		l, path := open(t)
		var second atomic.Bool
		s, spawner := newStage(t, 0, func(control, asks *ipc.Conn) {
			if second.Swap(true) {
				honest(t)(control, asks)
				return
			}
			_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
			time.Sleep(50 * time.Millisecond)
			_ = control.Send(say)
			time.Sleep(50 * time.Millisecond)
		})
		l.Follow(&conf.Config{TimeFormat: "disabled"}, slog.LevelInfo)
		if err := l.Start(spawner); err != nil {
			t.Fatal(err)
		}
		turn(t, l, func() bool { return s.starts() == 2 && l.begun })
		if got := written(t, l, path); !strings.Contains(got, `msg="keeper lost" error="message '`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestPlain: what no keeper writes is written plainly in the end: of one that dies while it is
// waited for, of one that cannot be had again, and of one that does not run.
func TestPlain(t *testing.T) {
	t.Parallel()
	for name, keeper := range map[string]func(control, asks *ipc.Conn){
		"dies":       func(control, asks *ipc.Conn) { time.Sleep(50 * time.Millisecond) },
		"never runs": func(control, asks *ipc.Conn) { time.Sleep(10 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, path := open(t)
			_, spawner := newStage(t, int(unix.SIGKILL), func(control, asks *ipc.Conn) {
				_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
				keeper(control, asks)
			})
			if err := l.Start(spawner); err != nil {
				t.Fatal(err)
			}
			turn(t, l, func() bool { return l.begun })
			slog.New(l).Error("ended", "error", "the spawner has gone")
			var plain strings.Builder
			begin := time.Now()
			l.Close(&plain)
			if got := plain.String(); got != "rvrrpd: ERROR ended error=the spawner has gone\n" {
				t.Errorf("%q", got)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("after %v", took)
			}
			if text, err := os.ReadFile(path); err != nil || len(text) > 0 {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// TestFlood: a keeper that talks without end keeps nobody from anything else, and one that says
// what nobody has asked for is ended.
func TestFlood(t *testing.T) {
	t.Parallel()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ours, other := journal(t)
	l.stderr = ours
	l.Sink(keeping.Sink{Name: "stderr"}, -1)
	_, spawner := newStage(t, 0, func(control, asks *ipc.Conn) {
		_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
		for range 100000 {
			_ = control.Send([]byte{byte(keeping.Journal), '\n'})
		}
	})
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	turn(t, l, func() bool { return l.begun })
	b := make([]byte, 64<<10)
	written := func() int { // to the journal; nothing perhaps, for it has hardly begun
		n, _, _ := unix.Recvfrom(other, b, unix.MSG_DONTWAIT)
		return n
	}
	written()
	for range 100 {
		if err := l.Turn(ipc.Monotonic(), true); err != nil {
			t.Fatal(err)
		}
		if n := written(); n > hearMax {
			t.Fatalf("%d messages in a turn", n)
		}
	}
	l.Close(io.Discard)
}

// TestHungAtTheStart: a keeper that hangs before it begins ends the daemon, and no mark is
// answered for it.
func TestHungAtTheStart(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	_, spawner := newStage(t, int(unix.SIGKILL), func(control, asks *ipc.Conn) { time.Sleep(time.Minute) })
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	marked := false
	l.Mark(func() { marked = true })
	if err := l.Turn(l.again+1, true); err == nil || !strings.Contains(err.Error(), "keeper did not start: keeper did not get ready in time") || marked {
		t.Errorf("marked %v, %v", marked, err)
	}
	l.Close(io.Discard)
}

// TestMarkInTime: a keeper that hangs later is not waited for without end.
func TestMarkInTime(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	_, spawner := newStage(t, int(unix.SIGKILL), func(control, asks *ipc.Conn) {
		_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
		time.Sleep(10 * time.Second)
	})
	if err := l.Start(spawner); err != nil {
		t.Fatal(err)
	}
	turn(t, l, func() bool { return l.begun })
	marked := false
	l.Mark(func() { marked = true })
	if err := l.Turn(l.markedBy, false); err != nil || !marked || len(l.sinks) != 1 {
		t.Errorf("marked %v, %v", marked, err)
	}
	l.Close(io.Discard)
}

// server does what keepers ask for, by a script.
type server struct {
	l     *Logger
	begun int
	asked []keeping.Question
	says  error
}

func (s *server) Begun() {
	s.begun++
	s.l.Tell(keeping.Active, true)
}

func (s *server) Asked(q keeping.Question) error {
	s.asked = append(s.asked, q)
	return s.says
}

// TestAsked: what a keeper asks for is done, and answered with what has come of it, also while
// the journal takes nothing.
func TestAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		says error
		want string
	}{
		{nil, `{"Errno":0,"Words":""}`},
		{fmt.Errorf("no: %w", unix.EEXIST), `{"Errno":17,"Words":"no: file exists"}`},
		{errors.New("not now"), `{"Errno":0,"Words":"not now"}`},
	} {
		l, _ := open(t)
		l.stderr = full(t)
		l.Sink(keeping.Sink{Name: "stderr"}, -1)
		heard := make(chan string, 8)
		_, spawner := newStage(t, 0, func(control, asks *ipc.Conn) {
			_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
			for _, lane := range []*ipc.Conn{control, control, asks} { // Begin, Active, and the answer
				said := next(lane)
				if heard <- said; strings.HasPrefix(said, string(keeping.Active)) {
					_ = control.Send([]byte{byte(keeping.Journal), '\n'})
					_ = asks.Send([]byte(`{"Request":1,"Number":7}`))
				}
			}
		})
		if err := l.Start(spawner); err != nil {
			t.Fatal(err)
		}
		s := &server{l: l, says: tt.says}
		l.Serve(s) // before the keeper begins, it is not told
		var got []string
		turn(t, l, func() bool {
			select {
			case one := <-heard:
				got = append(got, one)
			default:
			}
			return len(got) == 3
		})
		if s.begun != 2 || len(s.asked) != 1 || s.asked[0] != (keeping.Question{Request: keeping.Remove, Number: 7}) || got[1] != "Ctrue" || got[2] != tt.want {
			t.Errorf("%v: begun %d times, asked %v, told %q", tt.says, s.begun, s.asked, got)
		}
		l.Close(io.Discard)
	}
}

// next waits for what comes next on a lane, "" if nothing does.
func next(lane *ipc.Conn) string {
	b := make([]byte, keeping.MaxMessage)
	_, _ = ipc.Wait([]unix.PollFd{{Fd: int32(lane.FD()), Events: unix.POLLIN}}, 10*time.Second)
	n, _ := lane.Recv(b)
	return string(b[:n])
}

// journal is a socket as to the journal, and its other end.
func journal(t *testing.T) (ours, other int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	return pair[0], pair[1]
}

// full is a journal that takes nothing.
func full(t *testing.T) int {
	t.Helper()
	ours, _ := journal(t)
	for err := error(nil); err == nil; {
		_, err = unix.SendmsgN(ours, make([]byte, 4096), nil, nil, unix.MSG_DONTWAIT)
	}
	return ours
}

// TestNobodyAnswers: a keeper that asks where nobody is there who could do it, or not any more,
// is told to try again.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{false, true} {
		l, _ := open(t)
		answers := make(chan string, 1)
		_, spawner := newStage(t, 0, func(control, asks *ipc.Conn) {
			_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
			next(control) // Begin
			_ = asks.Send([]byte(`{"Request":1,"Number":7}`))
			answers <- next(asks)
		})
		if err := l.Start(spawner); err != nil {
			t.Fatal(err)
		}
		if served {
			l.Serve(&server{l: l, says: errors.New("served")})
			l.Serve(nil)
		}
		answer := ""
		turn(t, l, func() bool {
			select {
			case answer = <-answers:
			default:
			}
			return answer != ""
		})
		if want := fmt.Sprintf(`{"Errno":%d,`, unix.EAGAIN); !strings.HasPrefix(answer, want) {
			t.Errorf("served %v: %s", served, answer)
		}
		l.Close(io.Discard)
	}
}

// TestBadQuestions: a keeper that asks what makes no sense, or for what there is not, is
// replaced; so is one that has no room for what it is told.
func TestBadQuestions(t *testing.T) {
	t.Parallel()
	foreign := fmt.Errorf("%w: route 9", ErrForeign)
	for name, tt := range map[string]struct {
		question string
		says     error
		want     string
	}{
		"cut off":       {`{"Request":2`, nil, "question: unexpected end of JSON input"},
		"no number":     {`{"Request":"x"}`, nil, "question: json: cannot unmarshal string"},
		"foreign":       {`{"Request":1,"Number":9}`, foreign, "asks for what there is not: route 9"},
		"does not read": {"", nil, "keeper lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, path := open(t)
			stop := make(chan struct{})
			t.Cleanup(func() { close(stop) })
			var bad atomic.Bool
			st, spawner := newStage(t, int(unix.SIGKILL), func(control, asks *ipc.Conn) {
				if !bad.CompareAndSwap(false, true) {
					honest(t)(control, asks)
					return
				}
				_ = control.Send(append([]byte{byte(keeping.Hello)}, ipc.Build()...))
				if tt.question != "" {
					next(control) // Begin
					_ = asks.Send([]byte(tt.question))
				}
				<-stop
			})
			l.Serve(&server{l: l, says: tt.says})
			if err := l.Start(spawner); err != nil {
				t.Fatal(err)
			}
			if tt.question == "" {
				turn(t, l, func() bool { return l.begun })
				for range 300 {
					l.Tell(keeping.Active, strings.Repeat("x", 100<<10))
				}
			}
			turn(t, l, func() bool { return st.starts() == 2 && l.begun })
			if got := written(t, l, path); !strings.Contains(got, tt.want) {
				t.Errorf("said %s", got)
			}
		})
	}
}
