package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
)

// spoken has words of its own, and nothing that JSON sees.
type spoken struct{ word string }

func (s spoken) String() string { return s.word }

// pointed has them behind a pointer.
type pointed struct{ word string }

func (p *pointed) String() string { return p.word }

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
		{nil, "<nil>", nil},
	} {
		var text, asJSON bytes.Buffer
		slog.New(newStyle(&conf.Config{TimeFormat: "disabled"}, 0).stamped(&text)).Info("it happens", "value", tt.value)
		slog.New(newStyle(&conf.Config{TimeFormat: "disabled", LogFormat: "json"}, 0).stamped(&asJSON)).Info("it happens", "value", tt.value)
		if !strings.HasSuffix(text.String(), " value="+tt.text+"\n") {
			t.Errorf("%T: text %q, want value=%s", tt.value, text.String(), tt.text)
		}
		var line map[string]any
		if err := json.Unmarshal(asJSON.Bytes(), &line); err != nil || !reflect.DeepEqual(line["value"], tt.json) {
			t.Errorf("%T: JSON %s, want %v", tt.value, asJSON.String(), tt.json)
		}
	}
}
