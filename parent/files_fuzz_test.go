package parent

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// FuzzState: of a state file nothing is taken but what is written again in the same
// words, and no more of it than there is room for.
func FuzzState(f *testing.F) {
	for _, text := range []string{
		"", "4 1 - 5\n", "4 1 10.0.0.1 5\n6 255 fe80::1@4a5d1c37 18446744073709551615\n4 1 -@4a5d1c37 7\n4 1 0.0.0.0 3\n",
		"4 1 fe80::1%eth0 5\n", "4 1 - 5 .\n", "4 1 10.0.0.1@4a5d1c37 5", "4 01 - +5\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseState(bytes.NewReader(text), "eth0")
		if err != nil {
			return
		}
		d := &daemon{keeper: unread(), replaying: replaying{stateLocks: map[string]*os.File{"eth0": nil}, bygone: map[vrID]bygone{}}}
		for id, m := range all {
			if len(m) > marksMax+1 || id.vrid == 0 || id.family != ipc.IPv4 && id.family != ipc.IPv6 {
				t.Fatalf("%v: %d marks", id, len(m))
			}
			d.bygone[id] = bygone{m, true}
		}
		written := d.snapshot()[stateFile("", "eth0")]
		again, err := parseState(bytes.NewReader(written), "eth0")
		if err != nil || !maps.EqualFunc(all, again, func(a, b marks) bool { return maps.Equal(a, b) }) {
			t.Errorf("%q: written as %q, which is %v, %v", text, written, again, err)
		}
	})
}

// FuzzHandover: whatever stands in a handover, it is gone once it is read, and
// nothing of it is taken for ours that the kernel does not confirm.
func FuzzHandover(f *testing.F) {
	for _, text := range []string{
		`{"group":7,"slots":[{"name":"eth0/1/ipv4","device":"vrrp1","default":true,"index":9,"held":true,"placed":[{"Prefix":"10.0.0.1/24"}],"expires":5,"marks":{"-@4a5d1c37":5,"fe80::1":6},"begun":1,"over":true}]}`,
		`{"slots":[{"name":"eth0/1/ipv4","marks":{"":5}}]}`, `{"slots":null}`, `null`, `{"slots":[{"index":-1,"device":""}]}`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "handover")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := readHandover(path)
		if _, gone := os.Lstat(path); gone == nil {
			t.Error("it is still there")
		}
		if err != nil || h == nil {
			return
		}
		lower := facts.Link{Index: 3, Name: "eth0"}
		for i := range h.Slots {
			one := &h.Slots[i]
			s := &slot{page: page{grant: grant{device: "vrrp1"}}, marks: marks{}}
			if s.confirms(one, facts.Link{Index: 9, Name: "vrrp1", Kind: "macvlan", Lower: 3}, lower, 0) {
				t.Errorf("%q: a device without our mark is ours", text)
			}
			s.device = ""
			if s.confirms(one, facts.Link{}, lower, 0) != (one.Device == "" && one.Index == lower.Index) {
				t.Errorf("%q: not the interface", text)
			}
			if s.marks.raise(one.Marks); len(s.marks) > marksMax+1 {
				t.Errorf("%q: %d marks", text, len(s.marks))
			}
		}
	})
}
