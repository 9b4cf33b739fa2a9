//go:build lab

package lab_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// inMemory counts where a secret is in what a process can write to: in vaults,
// which are in no core dump and in no child of the process, and elsewhere.
func inMemory(t *testing.T, pid int, secret string) (vaults, elsewhere int) {
	t.Helper()
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	count := 0 // in the last region
	for line := range strings.Lines(string(smaps)) {
		f := strings.Fields(line)
		var low, high int64
		if n, _ := fmt.Sscanf(f[0], "%x-%x", &low, &high); n == 2 {
			if count = 0; strings.HasPrefix(f[1], "rw") {
				b := make([]byte, high-low)
				n, _ := memory.ReadAt(b, low)
				count = bytes.Count(b[:n], []byte(secret))
			}
		}
		if f[0] == "VmFlags:" {
			if flags := strings.Join(f, " ") + " "; strings.Contains(flags, " dd ") && strings.Contains(flags, " wf ") {
				vaults += count
			} else {
				elsewhere += count
			}
		}
	}
	return vaults, elsewhere
}

// secretive has two routers with keys in the file and in another, and one
// with a password.
const (
	inFile    = "FILEkeyFILEkeyFILEkeyFILEkeyFILEkey!"
	inHex     = "BINARYkeyBINARYkeyBINARYkeyBINARYkey"
	inText    = "TEXTkeyTEXTkeyTEXTkeyTEXTkeyTEXTkey."
	shared    = "SHAREDsecretSHARED"
	secretive = `debug = 5
[[vrouter]]
group = 1
interface = "eth0"
vip = "10.9.0.21/24"
iftype = "macvlan"
auth_type = "hmac"
[vrouter.hmac]
active_key = 1
[[vrouter.hmac.key]]
id = 1
value = "file:%s"
[[vrouter.hmac.key]]
id = 2
value = "hex:%x"
[[vrouter.hmac.key]]
id = 3
value = "%s"

[[vrouter]]
group = 2
interface = "eth0"
vip = "10.9.0.22/24"
iftype = "macvlan"
auth_type = "p1-b8-shake256"
auth_secret = "%s"
`
)

// everySecret is how the secrets can be written.
var everySecret = map[string]string{
	"key in a file": inFile, "key in digits": inHex, "digits of it": fmt.Sprintf("%x", inHex), "key in text": inText, "password": shared,
}

func secretKeyFile(t *testing.T) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(inFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return key
}

// TestSecretsInMemory: once the network process has them, the parent has the
// secrets in its vault alone, whatever it has read them from, also after
// reloads; no process but the two has any; and the network process has only
// the password, once, for the keys are in the states of its hashes.
func TestSecretsInMemory(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	text := fmt.Sprintf(secretive, secretKeyFile(t), inHex, inText, shared)
	b := startReloaded(t, l.R2, text)
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	look := func(when string) {
		var complaint string
		if lab.Until(5*time.Second, func() bool { complaint = scattered(t, b.PID); return complaint == "" }) {
			return
		}
		t.Errorf("%s: %s", when, complaint)
	}
	look("at the start")
	for range 3 {
		b.reload(text, "configuration loaded")
		look("after a reload")
	}
	b.reload(strings.Replace(text, "[[vrouter]]\n", "[[vroute]]\n", 1), "reload refused")
	look("after a reload that is refused for its keys")
	b.reload(strings.Replace(text, "debug = 5", "user = \"daemon\"", 1), "another user needs a restart")
	look("after a reload that is refused for its user")
	mark := b.Len()
	lab.KillChild(lab.Children(b.PID)[0])
	b.AwaitLine(mark, 5*time.Second, "msg=ready")
	look("after a crash")
	b.reload(strings.Replace(text, shared, "another", 1), "configuration loaded")
	for _, pid := range append(lab.Descendants(b.PID), b.PID) {
		if vaults, elsewhere := inMemory(t, pid, shared); vaults+elsewhere > 0 {
			t.Errorf("process %d keeps a password of before: %d, %d", pid, vaults, elsewhere)
		}
	}
}

// scattered says which secret is where it should not be, or not where it
// should.
func scattered(t *testing.T, parent int) string {
	t.Helper()
	for what, secret := range everySecret {
		vaults, elsewhere := inMemory(t, parent, secret)
		if (vaults == 1) != (what != "digits of it") || elsewhere > 0 {
			return fmt.Sprintf("%s: %d in vaults, %d elsewhere", what, vaults, elsewhere)
		}
		for _, pid := range lab.Descendants(parent) {
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if what == "password" && strings.HasPrefix(string(name), "rvrrpd-netproc") {
				want = 1
			}
			if _, n := inMemory(t, pid, secret); n != want {
				return fmt.Sprintf("%s: %d in process %s", what, n, name)
			}
		}
	}
	return ""
}

// TestSecretsInJSON: the same from a configuration in JSON.
func TestSecretsInJSON(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	file := filepath.Join(t.TempDir(), "conf.json")
	router := func(group int, auth string, more map[string]any) map[string]any {
		r := map[string]any{"group": group, "interface": lab.Interface, "vip": fmt.Sprintf("10.9.0.%d/24", 20+group), "iftype": "macvlan", "auth_type": auth}
		maps.Copy(r, more)
		return r
	}
	text, err := json.Marshal(map[string]any{"vrouter": []any{
		router(1, "hmac", map[string]any{"hmac": map[string]any{"active_key": 1, "key": []any{
			map[string]any{"id": 1, "value": "file:" + secretKeyFile(t)},
			map[string]any{"id": 2, "value": fmt.Sprintf("hex:%x", inHex)},
			map[string]any{"id": 3, "value": inText},
		}}}),
		router(2, "p1-b8-shake256", map[string]any{"auth_secret": shared}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p := l.R2.Start(lab.Binary("rvrrpd"), "-m1", "-g", "json", "-c", file)
	p.AwaitLine(0, 5*time.Second, "initialize->backup")
	for range 3 {
		var complaint string
		if !lab.Until(5*time.Second, func() bool { complaint = scattered(t, p.PID); return complaint == "" }) {
			t.Error(complaint)
		}
		mark := p.Len()
		p.Signal(syscall.SIGHUP)
		p.AwaitLine(mark, 5*time.Second, "configuration loaded")
	}
}

// TestSecretsAreNotTold: nothing of a secret is in the log at its highest
// level, nor in what others can read of the processes.
func TestSecretsAreNotTold(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	text := fmt.Sprintf(secretive, secretKeyFile(t), inHex, inText, shared)
	b := startReloaded(t, l.R2, text)
	b.AwaitLine(0, 8*time.Second, "backup->active")
	b.reload(strings.Replace(text, "[[vrouter]]\n", "[[vroute]]\n", 1), "reload refused")
	b.reload(strings.Replace(text, inText, inText[:20], 1), "reload refused.*is a key of 20 bytes")
	b.reload(text, "configuration loaded")
	mark := b.Len()
	lab.KillChild(lab.Children(b.PID)[0])
	b.AwaitLine(mark, 5*time.Second, "msg=ready")
	told := map[string]string{}
	for _, pid := range append(lab.Descendants(b.PID), b.PID) {
		for _, name := range []string{"cmdline", "environ", "comm"} {
			path := fmt.Sprintf("/proc/%d/%s", pid, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			told[path] = string(text)
		}
	}
	for _, option := range []string{"--check", "--plan=" + b.file} {
		out, err := exec.Command(lab.Binary("rvrrpd"), option, "-c", b.file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", option, err, out)
		}
		told[option] = string(out)
	}
	b.Terminate(5 * time.Second)
	told["log"] = b.Output()
	for where, text := range told {
		for what, secret := range everySecret {
			if strings.Contains(text, secret[:16]) {
				t.Errorf("%s: %s:\n%s", where, what, text)
			}
		}
	}
	if !strings.Contains(told["--check"], "redacted") || !strings.Contains(told["log"], "level=DEBUG") {
		t.Errorf("--check says\n%slog says\n%s", told["--check"], told["log"])
	}
}

// TestSealedFirst: before a configuration is opened the process cannot be
// dumped any more, whatever it is asked to do with it: by a prctl(2) behind its last
// execve(2), which undoes that of before.
func TestSealedFirst(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(secretive, secretKeyFile(t), inHex, inText, shared)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--check"}, {"--plan", file}} {
		trace := filepath.Join(t.TempDir(), "trace")
		argv := append([]string{"-f", "-o", trace, "-e", "trace=execve,openat,prlimit64,prctl", lab.Binary("rvrrpd"), "-c", file}, args...)
		if out, err := exec.Command("strace", argv...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		_, behind, _ := strings.Cut(text[strings.LastIndex(text, "execve("):], "\n")
		before, _, opened := strings.Cut(behind, file)
		if !opened || !strings.Contains(before, "RLIMIT_CORE, {rlim_cur=0, rlim_max=0}") || !strings.Contains(before, "PR_SET_DUMPABLE, SUID_DUMP_DISABLE") {
			t.Errorf("%v:\n%s", args, b)
		}
	}
	l := lab.New(t)
	p := l.R2.Start(lab.Binary("rvrrpd"), "-m1", "-c", file)
	p.AwaitLine(0, 5*time.Second, "initialize->backup")
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID))
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 0 bytes") {
		t.Errorf("%v: %s", err, limits)
	}
	p.Terminate(5 * time.Second)
}
