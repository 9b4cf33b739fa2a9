package netproc

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/capture"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// sample is a capture file and what is in it.
type sample struct {
	name    string
	file    []byte
	records []capture.Record
}

// recordsOf are the records of a capture file up to where it is damaged.
func recordsOf(file []byte) (list []capture.Record, err error) {
	r, err := capture.NewReader(bytes.NewReader(file))
	for err == nil {
		var rec capture.Record
		if rec, err = r.Next(); err == nil {
			rec.Frame = bytes.Clone(rec.Frame)
			list = append(list, rec)
		}
	}
	return list, err
}

// samples are all sample captures.
func samples(t testing.TB) (all []sample) {
	t.Helper()
	names, err := filepath.Glob("wire/testdata/*.pcap")
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		records, err := recordsOf(b)
		if err != io.EOF {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, sample{filepath.Base(name), b, records})
	}
	return all
}

// likeTheirs says to a process what makes it judge by routers that are
// configured like the senders of a sample, with their secrets.
func likeTheirs(t testing.TB, s sample) []any {
	t.Helper()
	plain := sniffed(t, sniffing.Sniff{JSON: true}, ipc.Commit{})
	say, routers, seen := []any{linkUp, linkUp6}, uint16(0), map[uint8]bool{}
	for _, rec := range s.records {
		shown := shows(plain, sniffing.Capture{LinkType: 1, Frame: rec.Frame})
		if shown == "" {
			continue // ARP
		}
		o := object(t, shown)
		if seen[*o.VRID] {
			continue
		}
		seen[*o.VRID] = true
		r := record()
		if o.Family == ipc.IPv6 {
			r = record6()
		}
		r.Version, r.VRID, r.Addresses, r.AdverInterval = *o.Version, *o.VRID, o.Addresses, *o.IntervalMS*int64(time.Millisecond)
		var secrets []ipc.Secret
		switch o.AuthType {
		case "hmac":
			r.Auth, r.HMAC, secrets = ipc.AuthHMAC, ipc.HMAC{ActiveKey: 1, Mode: 2, Window: 5}, kaKeys(t)
		case "rfc2338-simple":
			r.Auth, secrets = ipc.AuthSimple, []ipc.Secret{{Value: []byte("secret12")}}
		case "p0-t8-sha256":
			r.Auth, secrets = ipc.AuthP0, []ipc.Secret{{Value: []byte("changeme")}}
		case "p1-b8-shake256":
			r.Auth, secrets = ipc.AuthP1, []ipc.Secret{{Value: []byte("changeme")}}
		}
		say = append(say, ipc.Slot(routers), r)
		for _, k := range secrets {
			say = append(say, ipc.Slot(routers), ipc.Secret{ID: k.ID, Value: bytes.Clone(k.Value)})
		}
		routers++
	}
	return append(say, ipc.Commit{Routers: routers})
}

// TestSniffSamples: routers that are configured like the senders of the
// samples accept what was sent to the group, by the clock of the capture; what
// has an HMAC only once, and not an hour later.
func TestSniffSamples(t *testing.T) {
	t.Parallel()
	accepted := 0
	for _, s := range samples(t) {
		p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, likeTheirs(t, s)...)
		late := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, likeTheirs(t, s)...)
		for i, rec := range s.records {
			m := sniffing.Capture{Time: rec.Time.UnixNano(), LinkType: 1, Frame: rec.Frame}
			shown := shows(p, m)
			if shown == "" {
				continue
			}
			o := object(t, shown)
			if o.Checksum.Valid == nil || !*o.Checksum.Valid || slices.Contains(o.Errors, "checksum") {
				t.Errorf("%s: %d: checksum %+v", s.name, i, o.Checksum)
			}
			want, again, stale := "accept", "accept", "accept"
			if o.HMAC != nil {
				again, stale = "replayed", "stale"
			}
			if !strings.HasPrefix(o.Dst, "224.") && !strings.HasPrefix(o.Dst, "ff02:") {
				want, again, stale = "destination", "destination", "destination"
				if *o.TTL != 255 { // which is looked at before
					want, again, stale = "ttl", "ttl", "ttl"
				}
			} else {
				accepted++
			}
			if o.Verdict != want {
				t.Errorf("%s: %d: %s, want %s", s.name, i, o.Verdict, want)
			}
			if o = object(t, shows(p, m)); o.Verdict != again {
				t.Errorf("%s: %d again: %s, want %s", s.name, i, o.Verdict, again)
			}
			m.Time += int64(time.Hour)
			if o = object(t, shows(late, m)); o.Verdict != stale {
				t.Errorf("%s: %d an hour later: %s, want %s", s.name, i, o.Verdict, stale)
			}
		}
	}
	if accepted < 44 {
		t.Errorf("%d accepted", accepted)
	}
}

// harmless says what is wrong with what is shown of any frame at all.
func harmless(text, line string) string {
	for _, r := range text + line {
		if r != '\n' && (r < ' ' || r > '~') {
			return "unprintable"
		}
	}
	switch {
	case (text == "") != (line == ""):
		return "shown in one form only"
	case line != "" && !json.Valid([]byte(line)):
		return "not JSON"
	case strings.Count(text, "\n") > 1 || strings.Count(line, "\n") > 1:
		return "more than a line"
	}
	return ""
}

// TestSniffDamaged: every byte of the sample captures changed, and every file
// and every frame cut anywhere: what is read of a file is no more than what
// is in it, and something harmless is shown, also by routers that have the
// keys.
func TestSniffDamaged(t *testing.T) {
	t.Parallel()
	patterns := []byte{0xff, 0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1}
	for _, s := range samples(t) {
		text := sniffed(t, sniffing.Sniff{Detail: 2, Judge: true}, likeTheirs(t, s)...)
		line := sniffed(t, sniffing.Sniff{JSON: true}, ipc.Commit{})
		tried := 0
		try := func(rec capture.Record) {
			m := sniffing.Capture{Time: rec.Time.UnixNano(), LinkType: rec.LinkType, Length: rec.Length, Frame: rec.Frame[:min(len(rec.Frame), ipc.MaxCapture)]}
			if wrong := harmless(shows(text, m), shows(line, m)); wrong != "" {
				t.Fatalf("%s: %s: %q of % x", s.name, wrong, shows(text, m)+shows(line, m), rec.Frame)
			}
			tried++
		}
		for _, rec := range s.records {
			whole := rec.Frame
			for at := range whole {
				rec.Frame, rec.Length = whole[:at], uint32(at)
				try(rec)
				rec.Length = uint32(len(whole))
				try(rec)
				rec.Frame = whole
				for _, change := range patterns {
					whole[at] ^= change
					try(rec)
					whole[at] ^= change
				}
			}
		}
		if want := (len(patterns) + 2) * (len(s.file) - 24 - 16*len(s.records)); tried != want {
			t.Errorf("%s: %d frames, want %d", s.name, tried, want)
		}
		// What the damage has left as it was has been tried.
		file := func(b []byte) {
			records, err := recordsOf(b)
			size := 0
			for i, rec := range records {
				if size += len(rec.Frame); i >= len(s.records) || !sameRecord(rec, s.records[i]) {
					try(rec)
				}
			}
			if err == nil || size > len(b) {
				t.Fatalf("%s: %v, %d bytes of %d", s.name, err, size, len(b))
			}
		}
		for at := range s.file {
			file(s.file[:at])
			for _, change := range patterns {
				s.file[at] ^= change
				file(s.file)
				s.file[at] ^= change
			}
		}
	}
}

func sameRecord(a, b capture.Record) bool {
	return a.Time.Equal(b.Time) && a.LinkType == b.LinkType && a.Length == b.Length && bytes.Equal(a.Frame, b.Frame)
}
