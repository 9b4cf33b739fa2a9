//go:build lab

package lab_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/capture"
	"github.com/rvrrpd/rvrrpd/lab"
)

// kaHMAC is a capture of keepalived's HMAC, and kaConfig the configuration of
// one of its groups, with all three keys.
const (
	kaHMAC   = "../netproc/wire/testdata/ka-hmac.pcap"
	kaConfig = `[[vrouter]]
group = 31
version = 3
interface = "eth0"
vip = "10.78.0.110"
timers = { advert = 0.5 }
auth_type = "hmac"
[vrouter.hmac]
active_key = 1
[[vrouter.hmac.key]]
id = 1
value = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
[[vrouter.hmac.key]]
id = 2
value = "0123456789abcdef0123456789ABCDEF"
[[vrouter.hmac.key]]
id = 7
value = "hex:aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff001122334455667788ff"
`
)

// keep writes a file of a test.
func keep(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sniffFile runs the sniffer on a capture.
func sniffFile(t *testing.T, args ...string) []sniffedPacket {
	t.Helper()
	out, err := exec.Command(lab.Binary("rvrrpd"), append([]string{"-m0", "--json"}, args...)...).Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, err.(*exec.ExitError).Stderr)
	}
	return sniffedPackets(t, string(out))
}

// TestSnifferReplay judges a capture by the keys of its sender: every packet
// is accepted, at the time of the capture, and none a second time.
func TestSnifferReplay(t *testing.T) {
	t.Parallel()
	conf := keep(t, "conf", []byte(kaConfig))
	once, err := os.ReadFile(kaHMAC)
	if err != nil {
		t.Fatal(err)
	}
	twice, late := bytes.Clone(once[:24]), bytes.Clone(once[:24])
	for rest := once[24:]; len(rest) > 0; {
		n := 16 + int(binary.LittleEndian.Uint32(rest[8:]))
		twice = append(append(twice, rest[:n]...), rest[:n]...)
		late = append(late, rest[:n]...)
		at := late[len(late)-n:]
		binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)+10)
		rest = rest[n:]
	}
	for _, tt := range []struct {
		name     string
		file     []byte
		verdicts []string // in turn
	}{
		{"once", once, []string{"accept"}},
		{"twice", twice, []string{"accept", "replayed"}},
		{"ten seconds late", late, []string{"stale"}},
	} {
		all := sniffFile(t, "-r", keep(t, "it.pcap", tt.file), "-c", conf, "--vrid", "31")
		if len(all) != 14*len(tt.verdicts) {
			t.Errorf("%s: %d packets", tt.name, len(all))
		}
		for i, one := range all {
			if want := tt.verdicts[i%len(tt.verdicts)]; one.VRID != 31 || one.Verdict != want {
				t.Errorf("%s: %d: VRID %d %s, want %s", tt.name, i, one.VRID, one.Verdict, want)
			}
		}
	}
	own := sniffFile(t, "-r", kaHMAC, "-c", conf, "--vrid", "31", "--own", "10.78.0.1,5a:3e:ef:70:38:7c")
	for i, one := range own {
		if one.Verdict != "own-frame" {
			t.Errorf("our own: %d: %s", i, one.Verdict)
		}
	}
	// Who has some of its addresses waits. With "enforce" others' lists are not heard.
	two := strings.Replace(kaConfig, `"10.78.0.110"`, `["10.78.0.110", "10.78.0.111"]`, 1)
	two = strings.Replace(two, "[vrouter.hmac]", "[vrouter.hmac]\nmode = \"permissive\"", 1)
	for i, one := range sniffFile(t, "-r", kaHMAC, "-c", keep(t, "two", []byte(two)), "--vrid", "31", "--own", "10.78.0.111") {
		if one.Verdict != "inactive" {
			t.Errorf("with some of the addresses: %d: %s", i, one.Verdict)
		}
	}
}

// interfaces writes a capture in the format of pcapng, with one frame for each
// name in turn: an interface of the file for each.
func interfaces(frame []byte, names ...string) []byte {
	le := binary.LittleEndian
	block := func(kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		n := uint32(12 + len(body))
		return le.AppendUint32(append(le.AppendUint32(le.AppendUint32(nil, kind), n), body...), n)
	}
	section := le.AppendUint32(nil, 0x1a2b3c4d)
	file := block(0x0a0d0d0a, append(append(section, 1, 0, 0, 0), bytes.Repeat([]byte{0xff}, 8)...))
	for _, name := range names {
		body := []byte{1, 0, 0, 0, 0, 0, 0, 0}
		if name != "" {
			body = append(append(le.AppendUint16(le.AppendUint16(body, 2), uint16(len(name))), name...), make([]byte, (4-len(name)%4)%4)...)
			body = append(body, 0, 0, 0, 0)
		}
		file = append(file, block(1, body)...)
	}
	for i := range names {
		var body []byte
		for _, v := range []int{i, 0, 1000000 + i, len(frame), len(frame)} {
			body = le.AppendUint32(body, uint32(v))
		}
		file = append(file, block(6, append(body, frame...))...)
	}
	return file
}

// TestSnifferInterfaces: the name that a capture gives counts; -i chooses
// among several, and names what has none.
func TestSnifferInterfaces(t *testing.T) {
	t.Parallel()
	node := &lab.Node{MAC: "02:00:00:00:00:01", Addr: lab.VIP.Prev()}
	frame := lab.Forgery{VRID: 7, TTL: 255, Priority: 200}.Frame(node)
	router := func(iface string, version int) string {
		return fmt.Sprintf("[[vrouter]]\ngroup = 7\nversion = %d\ninterface = %q\nvip = \"10.9.%d.254\"\n", version, iface, version)
	}
	two := keep(t, "two.conf", []byte(router("eth0", 3)+router("eth1", 2)))
	one := keep(t, "one.conf", []byte(router("eth0", 3)))
	named := keep(t, "named.pcapng", interfaces(frame, "eth1", "eth0", "eth2", `\Device\NPF_{00000000-0000-0000-0000-000000000000}`))
	unnamed := keep(t, "unnamed.pcapng", interfaces(frame, "", "any"))
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-r", named, "-c", two}, `eth1 version,eth0 accept,eth2 not-received,\Device\NPF_{00 not-received`},
		{[]string{"-r", named, "-c", two, "-i", "eth1"}, "eth1 version"},
		{[]string{"-r", named, "-c", two, "-i", "eth0"}, "eth0 accept"},
		{[]string{"-r", named, "-c", two, "-i", "eth9"}, ""},
		{[]string{"-r", unnamed, "-c", two, "-i", "eth1"}, "eth1 version,eth1 version"},
		{[]string{"-r", unnamed, "-c", one}, " accept,any accept"},
		{[]string{"-r", named, "--count", "2"}, "eth1 ,eth0 "},
	} {
		var got []string
		for _, p := range sniffFile(t, tt.args...) {
			got = append(got, p.Interface+" "+p.Verdict)
		}
		if said := strings.Join(got, ","); said != tt.want {
			t.Errorf("%v: %s, want %s", tt.args, said, tt.want)
		}
	}
	out, err := exec.Command(lab.Binary("rvrrpd"), "-m0", "-r", unnamed, "-c", two).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "-i names it") {
		t.Errorf("of several interfaces: %v: %s", err, out)
	}
}

// TestSnifferPipes: a capture comes from standard input, ends with a signal,
// is never overwritten while it is read, and who stops listening is no error.
func TestSnifferPipes(t *testing.T) {
	t.Parallel()
	run := func(in io.Reader, args ...string) (string, string, error) {
		cmd := exec.Command(lab.Binary("rvrrpd"), append([]string{"-m0"}, args...)...)
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
		err := cmd.Run()
		return out.String(), errs.String(), err
	}
	once, err := os.ReadFile(kaHMAC)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := run(nil, "-r", kaHMAC)
	if err != nil || strings.Count(want, "\n") != 44 {
		t.Fatalf("%v: %s", err, want)
	}
	// Through a pipe, for it is no file to the command.
	if got, errs, err := run(io.MultiReader(bytes.NewReader(once)), "-r", "-"); err != nil || got != want {
		t.Errorf("standard input: %v: %s%s", err, errs, got)
	}
	file := keep(t, "it.pcap", once)
	for _, name := range []string{file, filepath.Dir(file) + "/./it.pcap"} {
		if _, errs, err := run(nil, "-r", file, "-w", name); err == nil || !strings.Contains(errs, "is the capture that is read") {
			t.Errorf("-w %s: %v: %s", name, err, errs)
		}
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, once) {
		t.Errorf("the capture has changed: %v", err)
	}
	if _, errs, err := run(nil, "-r", file, "-w", "-"); err == nil || !strings.Contains(errs, "accepted: a file") {
		t.Errorf("-w -: %v: %s", err, errs)
	}
	// One that is longer than before is shorter then.
	longer := keep(t, "longer.pcap", append(bytes.Clone(once), once...))
	if _, errs, err := run(nil, "-r", file, "-w", longer, "--count", "1"); err != nil {
		t.Errorf("%v: %s", err, errs)
	}
	f, err := os.Open(longer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := capture.NewReader(f)
	for n := 0; err == nil; n++ {
		if _, err = r.Next(); (err == io.EOF) != (n == 1) {
			t.Errorf("record %d: %v", n, err)
		}
	}

	head := exec.Command(lab.Binary("rvrrpd"), "-m0", "-r", kaHMAC)
	var errs bytes.Buffer
	head.Stderr = &errs
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	head.Stdout = w
	if err := head.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("nobody listens: %v: %s", err, errs.String())
	}
	w.Close()

	waiting := exec.Command(lab.Binary("rvrrpd"), "-m0", "-r", "-")
	in, err := waiting.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	shown, err := waiting.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	defer waiting.Process.Kill()
	if _, err := in.Write(once[:24+16+14]); err != nil { // not a whole record
		t.Fatal(err)
	}
	if _, err := in.Write(once[24+16+14 : 1000]); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(shown)
	for at := 24; at+16+int(binary.LittleEndian.Uint32(once[at+8:])) <= 1000; at += 16 + int(binary.LittleEndian.Uint32(once[at+8:])) {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := waiting.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	if err := waiting.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

// TestSnifferReadsConfined: not a byte of a capture is read before every
// capability is given up and the filter is closed, the beginning of the file
// included; and what is no capture empties no file that is written.
func TestSnifferReadsConfined(t *testing.T) {
	t.Parallel()
	written := keep(t, "written.pcap", []byte("as it was"))
	cmd := exec.Command(lab.Binary("rvrrpd"), "-m0", "-r", "-", "-w", written)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	confined := func() bool {
		status := lab.Status(cmd.Process.Pid)
		return status["CapPrm"] == "0000000000000000" && status["CapEff"] == status["CapPrm"] && status["NoNewPrivs"] == "1" && status["Seccomp"] == "2"
	}
	if !lab.Until(10*time.Second, confined) {
		t.Errorf("it waits for the beginning with %v", lab.Status(cmd.Process.Pid))
	}
	if _, err := in.Write(bytes.Repeat([]byte("no capture "), 10)); err != nil {
		t.Error(err)
	}
	in.Close()
	if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), "-: not a capture file: neither pcap nor pcapng") {
		t.Errorf("%v: %s", err, said.String())
	}
	if text, err := os.ReadFile(written); err != nil || string(text) != "as it was" {
		t.Errorf("what is written is now %q, %v", text, err)
	}
}
