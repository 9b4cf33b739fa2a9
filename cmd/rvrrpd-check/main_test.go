package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/suffix"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
)

// called is how rvrrpd calls this program: -c FILE, -g FORMAT and --plan NEW.
func called(args ...string) []string {
	file, format, plan, given := "", conf.TOML, "", false
	for i := 0; i < len(args); i += 2 {
		switch value := args[i+1]; args[i] {
		case "-c":
			file = value
		case "-g":
			format, given = conf.Format(value), true
		default:
			plan = value
		}
	}
	if !given {
		format = suffix.Format(file, format)
	}
	out := []string{"--conf=" + file, "--format=" + string(format), "--plan=" + plan}
	if given {
		out = append(out, "--given=true")
	}
	return out
}

// TestCommandLine: it is rvrrpd that calls it, of the same build, and what is
// wrong with the configurations is told with an exit code of its own.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	bad, open := filepath.Join(t.TempDir(), "bad.conf"), filepath.Join(t.TempDir(), "open.conf")
	text := "[[vrouter]]\ngroup = 300\ninterface = \"eth0\"\nvip = \"10.0.0.1\"\n"
	for _, file := range []string{bad, open} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		code   int
		out    string
		errors []string
	}{
		{[]string{"--version"}, 0, "rvrrpd-check ", nil},
		{[]string{"--help"}, exitUsage, "", []string{"rvrrpd-check is started by rvrrpd --check and rvrrpd --plan"}},
		{[]string{"--conf=x", "more"}, exitUsage, "", []string{"is started by"}},
		{nil, exitUsage, "", []string{"is started by"}},
		{[]string{"--conf=x", "--build=another"}, exitFailure, "", []string{`this is "another"`}},
		{called("-c", bad), exitConfig, "", []string{bad + ":2:1:", "vrouter[1].group", "1..255"}},
		{called("--plan", bad, "-c", open), exitConfig, "", []string{bad + ":2:1:", open}},
		{called("-c", "/nonexistent"), exitConfig, "", []string{"/nonexistent"}},
	} {
		var out, words strings.Builder
		if code := run(tt.args, &out, &words); code != tt.code || !strings.HasPrefix(out.String(), tt.out) {
			t.Errorf("%v: exit code %d\n%s%s", tt.args, code, out.String(), words.String())
		}
		for _, want := range tt.errors {
			if !strings.Contains(words.String(), want) {
				t.Errorf("%v: no %q in\n%s", tt.args, want, words.String())
			}
		}
	}
}

// TestPlanFormats: the two files of --plan may be of different formats.
func TestPlanFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, next := filepath.Join(dir, "rvrrpd.conf"), filepath.Join(dir, "next.json")
	toml, json := "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\n", `{"vrouter": [{"group": 7, "interface": "eth0", "vip": "192.0.2.1", "priority": 150}]}`
	bare := filepath.Join(dir, "bare.conf")
	for file, text := range map[string]string{old: toml, next: json, bare: json} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--plan", next, "-c", old}, "eth0/7/ipv4              updated: priority = 100 -> 150\n"},
		{[]string{"--plan", old, "-c", next}, "eth0/7/ipv4              updated: priority = 150 -> 100\n"},
		{[]string{"--plan", next, "-c", next}, "eth0/7/ipv4              unchanged\n"},
		{[]string{"--plan", next, "-c", old, "-g", "toml"}, "eth0/7/ipv4              updated: priority = 100 -> 150\n"},
		{[]string{"--plan", next, "-c", bare, "-g", "json"}, "eth0/7/ipv4              unchanged\n"},
		{[]string{"--plan", bare, "-c", next, "-g", "json"}, "eth0/7/ipv4              unchanged\n"},
		{[]string{"--plan", bare, "-c", old}, ""}, // its name says nothing
	} {
		var out, errs bytes.Buffer
		if code := run(called(tt.args...), &out, &errs); out.String() != tt.want || (code == 0) != (tt.want != "") {
			t.Errorf("%v: code %d, %s%s", tt.args, code, out.String(), errs.String())
		}
	}
}

// TestFingerprint: equal for equal keys, however they are written, and another
// for another key; not a digest of the key alone.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	a, b := conf.Key{ID: 1, Value: []byte(strings.Repeat("k", 32))}, conf.Key{ID: 2, Value: []byte(strings.Repeat("k", 31) + "l")}
	if fingerprint(a) != fingerprint(conf.Key{ID: 9, Source: "file:/k", Value: a.Value}) || fingerprint(a) == fingerprint(b) || len(fingerprint(a)) != 8 {
		t.Errorf("%s, %s", fingerprint(a), fingerprint(b))
	}
	if bare := fmt.Sprintf("%x", sha256.Sum256(a.Value)); strings.HasPrefix(bare, fingerprint(a)) {
		t.Error("it is the digest of the key")
	}
	// As a file of state has it.
	if want := fmt.Sprintf("%08x", auth.Fingerprint(a.Value)); fingerprint(a) != want {
		t.Errorf("%s, want %s", fingerprint(a), want)
	}
	// As docs/authentication.md describes it.
	if want := "ab0756ef"; fingerprint(a) != want {
		t.Errorf("%s, want %s", fingerprint(a), want)
	}
}

// TestCheckFingerprints: keys are compared by what --check prints of them, and
// what is doubtful about them is told.
func TestCheckFingerprints(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("0123456789abcdef", 4)
	printed := func(value string) (line, warnings string) {
		file := filepath.Join(t.TempDir(), "conf")
		text := "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\nauth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 3\n[[vrouter.hmac.key]]\nid = 3\nvalue = \"" + value + "\"\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if code := run(called("-c", file), &out, &errs); code != 0 || strings.Contains(out.String()+errs.String(), digits[:16]) {
			t.Fatalf("code %d: %s%s", code, out.String(), errs.String())
		}
		m := regexp.MustCompile(`(?m)^# key 3 of eth0/7/ipv4: fingerprint [0-9a-f]{8}$`).FindString(out.String())
		return m, errs.String()
	}
	asHex, quiet := printed("hex:" + digits)
	asText, warned := printed(digits)
	if asHex == "" || asText == "" || asHex == asText || quiet != "" || !strings.Contains(warned, "64 hexadecimal digits") {
		t.Errorf("%q, %q; %q, %q", asHex, asText, quiet, warned)
	}
}

// TestCheckPrints: what --check prints is a configuration, and the same one.
func TestCheckPrints(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "conf")
	text := "client_api = \"http\"\n[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = [\"192.0.2.1/24\", \"192.0.2.2\"]\niftype = \"macvlan\"\nauth_type = \"rfc2338-simple\"\nauth_secret = \"hushhush\"\n[[protocols.static]]\nroute = \"10.0.0.0/8\"\nnh = \"192.0.2.9\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(called("-c", file), &out, &errs); code != 0 || !strings.Contains(errs.String(), "client_api: has no effect") {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	printed := out.String()
	for _, want := range []string{"# grant 0: eth0/7/ipv4", "priority 0..100", "the macvlan standby7", "00:00:5e:00:01:07", "10.0.0.0/8 via 192.0.2.9", `auth_secret = "redacted"`} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in\n%s", want, printed)
		}
	}
	if strings.Contains(printed+errs.String(), "hushhush") {
		t.Error("the secret is printed")
	}
	again := filepath.Join(t.TempDir(), "again")
	write := func(text string) {
		if err := os.WriteFile(again, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(printed)
	errs.Reset()
	if code := run(called("-c", again), &bytes.Buffer{}, &errs); code != exitConfig || !strings.Contains(errs.String(), "auth_secret: is what is printed in the place of a secret, and none") {
		t.Errorf("as it is printed: code %d: %s", code, errs.String())
	}
	write(strings.Replace(printed, "redacted", "hushhus2", 1))
	out.Reset()
	if code := run(called("-c", again), &out, &errs); code != 0 || out.String() != printed {
		t.Errorf("code %d; read again it is\n%s", code, out.String())
	}
	out.Reset()
	if code := run(called("--plan", again, "-c", file), &out, &errs); code != 0 || out.String() != "eth0/7/ipv4              updated: auth_secret, (the other routers must agree, or drop what it says)\n" {
		t.Errorf("plan: code %d:\n%s", code, out.String())
	}
}

// TestCheckSharedKey: one key for the same VRID and family on two interfaces is
// warned of, and nothing else.
func TestCheckSharedKey(t *testing.T) {
	t.Parallel()
	router := func(iface, group, vip, value string) string {
		return "[[vrouter]]\ngroup = " + group + "\ninterface = \"" + iface + "\"\nversion = 3\nvip = \"" + vip + "\"\nauth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 3\n[[vrouter.hmac.key]]\nid = 3\nvalue = \"" + strings.Repeat(value, 32) + "\"\n"
	}
	for _, tt := range []struct {
		name, other string
		warns       bool
	}{
		{"another LAN", router("eth1", "7", "198.51.100.1", "a"), true},
		{"another LAN, another key", router("eth1", "7", "198.51.100.1", "b"), false},
		{"another VRID", router("eth1", "8", "198.51.100.1", "a"), false},
		{"the other family", router("eth0", "7", "2001:db8::1", "a"), false},
		{"the other family elsewhere", router("eth1", "7", "2001:db8::1", "a"), false},
	} {
		file := filepath.Join(t.TempDir(), "conf")
		if err := os.WriteFile(file, []byte(router("eth0", "7", "192.0.2.1", "a")+tt.other), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run(called("-c", file), &out, &errs)
		if want := "warning: eth0/7/ipv4 and eth1/7/ipv4 have a key in common: "; code != 0 || strings.Contains(errs.String(), want) != tt.warns || !tt.warns && errs.Len() > 0 {
			t.Errorf("%s: code %d: %s", tt.name, code, errs.String())
		}
	}
}

// TestCheckPlaces: --check warns of a directory that is here and in which the daemon
// writes nothing, and of none that is not.
func TestCheckPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, own := filepath.Join(dir, "open"), filepath.Join(dir, "own")
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(own, 0o755), os.Mkdir(open, 0o755), os.Chmod(open, 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ top, warns string }{
		{"main_log = \"" + own + "/log\"", ""},
		{"main_log = \"/not/here/log\"\nstate_dir = \"/not/here\"", ""},
		{"working_dir = \"" + own + "\"\nmain_log = \"log\"", ""},
		{"main_log = \"" + open + "/log\"", "main_log: "},
		{"error_log = \"/etc/cron.d/log\"", "error_log: "},
		{"pid = \"" + open + "/pid\"", "pid: "},
		{"working_dir = \"" + open + "\"\npid = \"pid\"", "pid: "},
		{"state_dir = \"" + open + "\"", "state_dir: "},
		{"user = \"no-such-user\"\nstate_dir = \"" + open + "\"", "state_dir: "},
	} {
		file := filepath.Join(t.TempDir(), "conf")
		if err := os.WriteFile(file, []byte(tt.top+"\n[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run(called("-c", file), &out, &errs)
		said := errs.String()
		if code != 0 || tt.warns == "" && said != "" || tt.warns != "" && (!strings.HasPrefix(said, "warning: "+tt.warns) || !strings.Contains(said, "; accepted: ") || strings.Count(said, "\n") != 1) {
			t.Errorf("%s: code %d: %s", tt.top, code, said)
		}
	}
}
