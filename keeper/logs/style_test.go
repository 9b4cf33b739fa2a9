package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

// logged writes a line of each level, at a fixed instant.
func logged(h slog.Handler) {
	at := time.Date(2026, 11, 4, 13, 5, 9, 123456789, time.FixedZone("", 3600))
	for _, level := range []slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if h.Enabled(context.Background(), level) {
			r := slog.NewRecord(at, level, "it happens", 0)
			r.Add("vr", "eth0/7/ipv4", "time", "inner")
			h.Handle(context.Background(), r)
		}
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logged(newStyle(keeping.Style{Level: lowest, JSON: true, Layout: time.RFC3339}).handler(&b, true))
	for line := range strings.Lines(b.String()) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil || object["msg"] != "it happens" || object["level"] == nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	if strings.Count(b.String(), "\n") != 5 {
		t.Error(b.String())
	}
}

// TestJournal: each line begins with its priority, and has no time of ours.
func TestJournal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logged(newStyle(keeping.Style{Level: lowest, Layout: time.RFC3339}).journal(&b))
	want := regexp.MustCompile(`^<7>level=DEBUG .*\n<7>level=DEBUG .*\n<6>level=INFO msg="it happens" vr=.*\n<4>level=WARN .*\n<3>level=ERROR .*\n$`)
	if !want.MatchString(b.String()) || strings.Contains(b.String(), "2026") {
		t.Error(b.String())
	}
}

// TestSplit: error_log gets what main_log gets from warnings on.
func TestSplit(t *testing.T) {
	t.Parallel()
	var all, errs bytes.Buffer
	s := newStyle(keeping.Style{Layout: time.RFC3339})
	logged(slog.NewMultiHandler(s.handler(&all, true), branch{slog.LevelWarn, highest, s.handler(&errs, true)}))
	if strings.Count(all.String(), "\n") != 3 || strings.Count(errs.String(), "\n") != 2 {
		t.Errorf("all:\n%serrors:\n%s", all.String(), errs.String())
	}
}
