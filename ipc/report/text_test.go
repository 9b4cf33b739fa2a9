package report

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// enumerations returns the constants declared with iota, by their type.
func enumerations(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, file := range []string{"word.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			kind := ""
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if id, ok := v.Type.(*ast.Ident); ok {
					kind = id.Name
				}
				if kind != "" && (v.Values == nil || kind != "Slot" && kind != "Family") {
					all[kind] = append(all[kind], v.Names[0].Name)
				}
			}
		}
	}
	return all
}

// TestNames: every constant has a name of its own, and nothing else has.
func TestNames(t *testing.T) {
	t.Parallel()
	all := enumerations(t)
	for kind, tt := range map[string]struct {
		first, extra int // the extra constant at the end is a count
		text         func(uint8) fmt.Stringer
		sample       string // of the constant first+1
	}{
		"State":   {0, 0, func(v uint8) fmt.Stringer { return State(v) }, "backup"},
		"Reason":  {1, 0, func(v uint8) fmt.Stringer { return Reason(v) }, "owner"},
		"Drop":    {1, 1, func(v uint8) fmt.Stringer { return Drop(v) }, "fragment"},
		"Verdict": {0, 0, func(v uint8) fmt.Stringer { return Verdict(v) }, "silent"},
		"Notice":  {1, 1, func(v uint8) fmt.Stringer { return Notice(v) }, "addresses"},
	} {
		names := all[kind]
		if len(names) < 3 {
			t.Fatalf("%s: found only %v", kind, names)
		}
		n := tt.first + len(names) - tt.extra
		seen := make(map[string]bool)
		for v := range 256 {
			s := tt.text(uint8(v)).String()
			if seen[s] {
				t.Errorf("%s %d: %q is taken", kind, v, s)
			}
			seen[s] = true
			if named := s[len(s)-1] < '0' || s[len(s)-1] > '9'; named != (v >= tt.first && v < n) {
				t.Errorf("%s %d is called %q", kind, v, s)
			}
		}
		if got := tt.text(uint8(tt.first + 1)).String(); got != tt.sample {
			t.Errorf("%s %d is called %q, want %q", kind, tt.first+1, got, tt.sample)
		}
	}
}

// TestNamesInLogs holds the words that operators search for.
func TestNamesInLogs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    fmt.Stringer
		want string
	}{
		{Initialize, "initialize"}, {Backup, "backup"}, {Active, "active"},
		{ReasonStartup, "startup"}, {ReasonOwner, "owner"}, {ReasonActiveDown, "active-down"},
		{ReasonActiveLeft, "active-left"}, {ReasonHigherPriority, "higher-priority"}, {ReasonHigherAddress, "higher-address"},
		{ReasonShutdown, "shutdown"}, {ReasonLinkDown, "link-down"}, {ReasonRestored, "restored"},
		{ReasonRefused, "refused"}, {ReasonLeaseLost, "lease-lost"},
		{DropIPHeader, "ip-header"}, {DropTTL, "ttl"}, {DropChecksum, "checksum"}, {DropAuthType, "auth-type"},
		{DropPassword, "password"}, {DropHMAC, "hmac"}, {DropReplayed, "replayed"}, {DropAdverInterval, "adver-interval"}, {DropAddressList, "address-list"},
		{DropOwnFrame, "own-frame"}, {DropSuperseded, "superseded"}, {DropInactive, "inactive"},
		{NoticeOwner, "owner"}, {NoticeChecksum, "checksum"}, {NoticeInterval, "interval"}, {NoticeVersion2, "version-2-missing"}, {NoticeClock, "clock-set-back"}, {NoticeUnsigned, "unsigned"},
		{Reason(0), "reason 0"},
	} {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("%#v is called %q, want %q", tt.v, got, tt.want)
		}
	}
}
