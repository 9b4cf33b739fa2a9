package reader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
	"github.com/rvrrpd/rvrrpd/records"
)

// script is a reader that says what it was told to, after a proper beginning.
func script(says ...any) func(l *reading.Lane) {
	return func(l *reading.Lane) {
		_ = l.Say(reading.Hello, []byte(ipc.Build()))
		_, _ = l.Expect(reading.Begin)
		for i := 0; i < len(says); i += 2 {
			text, is := says[i+1].(string)
			if !is {
				b, _ := json.Marshal(says[i+1])
				text = string(b)
			}
			if l.Say(says[i].(reading.Kind), []byte(text)) != nil {
				return
			}
		}
	}
}

// flood says the same as long as it is heard.
func flood(l *reading.Lane, k reading.Kind, text string) {
	for l.Say(k, []byte(text)) == nil {
	}
}

// TestEvilReader: a reader that says anything else than a configuration, in its order, is
// not believed, and its end is awaited by nobody.
func TestEvilReader(t *testing.T) {
	t.Parallel()
	c, err := source.Parse("f", []byte(vrouter), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	top, router := *c, c.Routers[0]
	top.Routers = nil
	bad := router
	bad.Interface = "$(reboot)"
	keyed := router
	keyed.Auth, keyed.HMAC = conf.AuthHMAC, &conf.HMAC{ActiveKey: 1, AntiReplay: "time", Mode: "enforce", Window: 5 * time.Second, Keys: []conf.Key{{ID: 1}}}
	endless := func(k reading.Kind, text string) func(l *reading.Lane) {
		return func(l *reading.Lane) { script(reading.Top, &top)(l); flood(l, k, text) }
	}
	for want, dos := range map[string][]func(l *reading.Lane){
		"ended: exit status 0": {
			func(*reading.Lane) {}, script(), script(reading.Top, &top),
			script(reading.Top, &top, reading.Router, &router, reading.Secret, ""),
		},
		"is build": {func(l *reading.Lane) { _ = l.Say(reading.Hello, []byte("other\x1b[2J")) }},
		"not 'H'":  {func(l *reading.Lane) { _ = l.Say(reading.Top, []byte("{}")) }},
		"takes too": {
			func(l *reading.Lane) { script()(l); _, _, _ = l.Hear() },
			func(l *reading.Lane) { script()(l); flood(l, reading.Kind('T'), "") },
			func(l *reading.Lane) { script()(l); flood(l, reading.Open, "/nonexistent") },
			func(l *reading.Lane) { script()(l); flood(l, reading.Group, "x") },
		},
		"out of place": {
			script(reading.Done, ""), script(reading.Router, &router), script(reading.Route, "{}"), script(reading.Secret, "x"),
			script(reading.Top, &top, reading.Top, &top), script(reading.Top, &top, reading.Refused, "no"), script(reading.Top, &top, reading.Secret, "x"),
			script(reading.Warning, "x"), script(reading.Kind('?'), ""), script(reading.Begin, "{}"),
		},
		"unknown field": {
			script(reading.Top, `{"Suid": true}`), script(reading.Top, `{"Routers": [{}]}`), script(reading.Top, `{"Warnings": [""]}`), script(reading.Top, &top, reading.Router, `{"Command": "reboot"}`),
		},
		"more than one value":  {script(reading.Top, `{} {}`), script(reading.Top, `{} }`)},
		"unexpected EOF":       {script(reading.Top, `{`)},
		"cannot unmarshal":     {script(reading.Top, `{"Debug": "x"}`), script(reading.Top, &top, reading.Router, `{"VRID": 300}`)},
		"out of range":         {script(reading.Top, &top, reading.Router, &bad, reading.Secret, ""), script(reading.Top, &top, reading.Router, &router, reading.Secret, "x")},
		"and no secret":        {script(reading.Top, &top, reading.Router, &router, reading.Done, ""), script(reading.Top, &top, reading.Router, &keyed, reading.Secret, "", reading.Done, "")},
		"key is out of range":  {script(reading.Top, &top, reading.Router, &keyed, reading.Secret, "", reading.Secret, "short")},
		"network is out":       {script(reading.Top, &top, reading.Route, "{}")},
		"number of virtual":    {script(reading.Top, &top, reading.Done, "")},
		"debug is out":         {script(reading.Top, `{"Debug": 7}`, reading.Done, "")},
		"there twice":          {script(reading.Top, &top, reading.Router, &router, reading.Secret, "", reading.Router, &router, reading.Secret, "", reading.Done, "")},
		"talks without end":    {endless(reading.Warning, ""), endless(reading.Later, strings.Repeat("x", 60_000))},
		"message of more than": {script(reading.Top, strings.Repeat(" ", 3<<20))},
	} {
		for i, do := range dos {
			t.Run(fmt.Sprint(want, " ", i), func(t *testing.T) {
				t.Parallel()
				s := New(spawnerOf(t, do), "/nonexistent", conf.TOML, false)
				if want == "takes too" {
					s.patience = 100 * time.Millisecond
				}
				c, _, err := s.Load()
				if err == nil || c != nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
					t.Errorf("%v, want %q", err, want)
				}
			})
		}
	}
	// What it says is printed as text.
	_, _, err = New(spawnerOf(t, script(reading.Refused, "a\x1b[2J\xff\nbé")), "/nonexistent", conf.TOML, false).Load()
	if !errors.Is(err, ErrRefused) || err.Error() != "a?[2J?\nbé" {
		t.Errorf("%q", err)
	}
	got, later, err := New(spawnerOf(t, script(reading.Top, &top, reading.Warning, "w\x07", reading.Later, "l\x07", reading.Router, &router, reading.Secret, "", reading.Done, "")), "/nonexistent", conf.TOML, false).Load()
	if err != nil || !reflect.DeepEqual(got.Warnings, []string{"w?"}) || !reflect.DeepEqual(later, []string{"l?"}) {
		t.Errorf("%+v, %q, %v", got, later, err)
	}
}

// TestLinesAreFew: what the log is to have does not fill it, whatever a file holds.
func TestLinesAreFew(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("x\n", maxLines+500)
	_, _, err := New(spawnerOf(t, script(reading.Refused, many)), "/nonexistent", conf.TOML, false).Load()
	if n := strings.Count(fmt.Sprint(err), "\n"); !errors.Is(err, ErrRefused) || n != maxLines || !strings.HasSuffix(err.Error(), "x\nand more") {
		t.Errorf("%d lines, %v", n, errors.Is(err, ErrRefused))
	}
	var lines []string
	for range maxLines + 500 {
		lines = appendLine(lines, []byte("x\ny"))
	}
	if len(lines) != maxLines+1 || lines[0] != "x" || lines[maxLines] != "and more" {
		t.Errorf("%d lines, %q", len(lines), lines[len(lines)-1])
	}
	if got := firstLines("x\ny"); got != "x\ny" {
		t.Errorf("%q", got)
	}
}

// TestMemory: the most that a message can be made to mean fits the parent many times.
// Not in parallel: it measures the whole process.
func TestMemory(t *testing.T) {
	most := (reading.MaxMessage - 200) / 3
	for _, router := range []string{
		`{"Addresses": [` + strings.Repeat("{},", most) + `{}]}`,
		`{"HMAC": {"Keys": [` + strings.Repeat("{},", most-10) + `{}]}}`,
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, _, err := New(spawnerOf(t, script(reading.Top, "{}", reading.Router, router, reading.Secret, "")), "/nonexistent", conf.TOML, false).Load()
		runtime.ReadMemStats(&after)
		if used := after.HeapSys - min(after.HeapSys, before.HeapSys); err == nil || used > 256<<20 {
			t.Errorf("%d MiB, %v", used>>20, err)
		}
	}
}

// FuzzHearing: whatever a reader says, the parent takes nothing that is out of range.
func FuzzHearing(f *testing.F) {
	c, err := source.Parse("f", []byte(vrouter), conf.TOML)
	if err != nil {
		f.Fatal(err)
	}
	top := *c
	top.Routers = nil
	encode := func(says ...any) (b []byte) {
		for i := 0; i < len(says); i += 2 {
			text, _ := json.Marshal(says[i+1])
			if s, is := says[i+1].(string); is {
				text = []byte(s)
			}
			b = append(append(b, byte(says[i].(reading.Kind)), byte(len(text)>>8), byte(len(text))), text...)
		}
		return b
	}
	f.Add(encode(reading.Top, &top, reading.Router, &c.Routers[0], reading.Secret, "", reading.Done, ""))
	f.Add(encode(reading.Top, &top, reading.Warning, "x", reading.Later, "y", reading.Route, `{"Prefix": "10.0.0.0/8", "NextHop": "192.0.2.1"}`, reading.Done, ""))
	f.Add(encode(reading.Group, "root", reading.Refused, "no"))
	f.Add([]byte{'T', 0, 1, '{', 'C', 0, 1, '}'})
	f.Fuzz(func(t *testing.T, says []byte) {
		ours, other, err := ipc.Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		go func() {
			control := ipc.FromFD(other)
			defer control.Close()
			l := reading.Over(control, 0)
			_ = l.Say(reading.Hello, nil)
			_, _ = l.Expect(reading.Begin)
			for len(says) >= 3 {
				k, n := reading.Kind(says[0]), min(int(says[1])<<8|int(says[2]), len(says)-3)
				if k == reading.Open { // not of files of this machine
					k = reading.Warning
				}
				if l.Say(k, says[3:3+n]) != nil {
					return
				}
				says = says[3+n:]
			}
		}()
		h := &hearing{source: New(nil, "", conf.TOML, false), lane: reading.Over(ours, ipc.Monotonic()+int64(10*time.Second)), verify: func(string) error { return nil }}
		if h.hold() != nil {
			return
		}
		// What the parent makes of it next has room for it.
		_, links := records.Links(&h.config)
		for i := range h.config.Routers {
			r := &h.config.Routers[i]
			if told := records.Router(r, links[i]); len(told.Addresses) != len(r.Addresses) || records.LimitsOf(r).Lease <= 0 || len(records.Secrets(r)) > 256 {
				t.Errorf("%+v", told)
			}
		}
		var b bytes.Buffer
		if err := source.Print(&h.config, &b); err != nil {
			t.Error(err)
		}
		for _, text := range append(h.later, h.config.Warnings...) {
			if text != printable(text) {
				t.Errorf("%q", text)
			}
		}
	})
}
