package logger

import (
	"errors"
	"testing"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"golang.org/x/sys/unix"
)

// FuzzSaid: whatever a keeper says, the parent takes it for one of the few things that it may
// say, or for a reason to end it; what it asks comes to whoever serves it as a question, or not
// at all.
func FuzzSaid(f *testing.F) {
	for _, said := range []string{"J<6>a line\n", "J", "K", "Vit is hostile", "Hdevel", "?", "B{}"} {
		f.Add(false, []byte(said))
	}
	for _, asked := range []string{`{"Request":1,"Number":7}`, `{}`, `{"Request":256}`, `{"Number":1e99}`, `[]`, "null", "\xff"} {
		f.Add(true, []byte(asked))
	}
	f.Fuzz(func(t *testing.T, asks bool, said []byte) {
		if len(said) == 0 || len(said) > keeping.MaxSaid {
			return
		}
		l, err := New()
		if err != nil {
			t.Fatal(err)
		}
		defer l.lines.Close()
		defer unix.Close(l.theirs)
		l.stderr = -1 // which takes nothing
		l.Sink(keeping.Sink{Name: "stderr"}, -1)
		control, says, err1 := ipc.Pair()
		frames, asked, err2 := ipc.Pair()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		s := &server{l: l}
		l.keeper, l.begun, l.server = &children.Child{Control: control, Frames: frames}, true, s
		to := says
		if asks {
			to = asked
		}
		_, err = unix.Write(to, said)
		if err == nil {
			if err = l.hear(); err == nil {
				err = l.answer()
			}
			accuses, violation := errors.As(err, new(Violation)), keeping.Kind(said[0]) == keeping.Violation
			switch {
			case asks && (err == nil) != (len(s.asked) == 1):
				t.Errorf("%q: asked %v, %v", said, s.asked, err)
			case !asks && (err == nil) != (keeping.Kind(said[0]) == keeping.Journal):
				t.Errorf("%q: %v", said, err)
			case accuses != (violation && !asks):
				t.Errorf("%q: a violation of the network process: %v", said, err)
			}
		}
		control.Close()
		frames.Close()
		unix.Close(says)
		unix.Close(asked)
	})
}
