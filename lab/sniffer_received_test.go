//go:build lab

package lab_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// resum puts the checksum of the IPv4 header right in a frame.
func resum(frame []byte) []byte {
	h := frame[14:34]
	h[10], h[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum+sum>>16))
	return frame
}

// broken takes the packet in a frame apart, behind 8 bytes of its payload.
func broken(frame []byte) [][]byte {
	if frame[12] == 0x86 {
		var list [][]byte
		for i, part := range [][]byte{frame[54:62], frame[62:]} {
			b := append(bytes.Clone(frame[:54]), 112, 0, 0, byte(i*8|1-i), 0, 0, 0, frame[55])
			b = append(b, part...)
			b[14+6] = 44
			binary.BigEndian.PutUint16(b[18:], uint16(len(b)-54))
			list = append(list, b)
		}
		return list
	}
	first, second := bytes.Clone(frame[:42]), append(bytes.Clone(frame[:34]), frame[42:]...)
	for i, b := range [][]byte{first, second} {
		binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14))
		binary.BigEndian.PutUint16(b[18:], 0x7777)
		b[20], b[21] = byte(0x20*(1-i)), byte(i)
		resum(b)
	}
	return [][]byte{first, second}
}

// verdicts are the verdicts on what a host has sent, by VRID.
func verdicts(packets []sniffedPacket, mac string) map[int]string {
	got := make(map[int]string)
	for _, p := range packets {
		said := strings.TrimSpace(p.Verdict + " " + p.NotReceived)
		if p.SrcMAC != mac || slices.Contains(strings.Split(got[p.VRID], ","), said) {
			continue
		}
		if got[p.VRID] != "" {
			said = got[p.VRID] + "," + said
		}
		got[p.VRID] = said
	}
	return got
}

// TestSnifferReceives: the sniffer accepts what the daemon beside it accepts,
// and whatever it says the daemon does not receive, the daemon does not: it
// takes over as if nothing had come.
func TestSnifferReceives(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R2.Set("net/ipv4/conf/all/rp_filter", "0")
	l.R2.Set("net/ipv4/conf/"+lab.Interface+"/rp_filter", "0")
	tag := func(frame []byte, tags ...byte) []byte { return slices.Concat(frame[:12], tags, frame[12:]) }
	extend := func(frame []byte, next byte, headers ...byte) []byte {
		b := slices.Concat(frame[:54], headers, frame[54:])
		b[14+6] = next
		binary.BigEndian.PutUint16(b[18:], uint16(len(b)-54))
		return b
	}
	set := func(frame []byte, at int, values ...byte) []byte { copy(frame[at:], values); return frame }
	one := func(f []byte) [][]byte { return [][]byte{f} }
	cases := []struct {
		name     string
		ipv6     bool
		change   func(frame []byte) [][]byte
		verdicts string
	}{
		{"plain", false, one, "accept"},
		{"plain", true, one, "accept"},
		{"tag", false, func(f []byte) [][]byte { return one(tag(f, 0x81, 0, 0, 5)) }, "not-received vlan"},
		{"priority tag", false, func(f []byte) [][]byte { return one(tag(f, 0x81, 0, 0xe0, 0)) }, "accept"},
		{"service tag", true, func(f []byte) [][]byte { return one(tag(f, 0x88, 0xa8, 0, 5)) }, "not-received vlan"},
		{"foreign address", false, func(f []byte) [][]byte { return one(set(f, 0, 2, 9, 9, 9, 9, 9)) }, "not-received mac"},
		{"fragments", false, broken, "incomplete,accept"},
		{"fragments", true, broken, "incomplete,accept"},
		{"half of it", true, func(f []byte) [][]byte { return broken(f)[:1] }, "incomplete"},
		{"wrong IP checksum", false, func(f []byte) [][]byte { f[24] ^= 1; return one(f) }, "not-received ip-header"},
		{"another group", false, func(f []byte) [][]byte { return one(resum(set(f, 33, 5))) }, "not-received group"},
		{"from loopback", false, func(f []byte) [][]byte { return one(resum(set(f, 26, 127, 0, 0, 9))) }, "not-received source"},
		{"TTL", false, func(f []byte) [][]byte { return one(resum(set(f, 22, 254))) }, "ttl"},
		{"hop-by-hop options", true, func(f []byte) [][]byte { return one(extend(f, 0, 112, 0, 5, 2, 0, 0, 1, 0)) }, "accept"},
		{"destination options", true, func(f []byte) [][]byte { return one(extend(f, 60, 112, 0, 0x1e, 4, 0, 0, 0, 0)) }, "accept"},
		{"option to discard for", true, func(f []byte) [][]byte { return one(extend(f, 60, 112, 0, 0x5e, 4, 0, 0, 0, 0)) }, "not-received extension"},
		{"route", true, func(f []byte) [][]byte { return one(extend(f, 43, 112, 0, 4, 0, 0, 0, 0, 0)) }, "not-received extension"},
	}
	var text strings.Builder
	var frames [][]byte
	for i, tt := range cases {
		vip := fmt.Sprintf("10.9.0.%d/24", 101+i)
		if tt.ipv6 {
			vip = fmt.Sprintf("2001:db8:9::%d/64", 101+i)
		}
		fmt.Fprintf(&text, "[[vrouter]]\ngroup = %d\nversion = 3\ninterface = %q\nvip = %q\npriority = 50\nsocket_filter = false\n", 101+i, lab.Interface, vip)
		frames = append(frames, tt.change(lab.Forgery{VRID: 101 + i, TTL: 255, Priority: 200, IPv6: tt.ipv6}.Frame(l.R1))...)
	}
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.R1.Repeat(100*time.Millisecond, frames...)
	file := filepath.Join(t.TempDir(), "it.pcap")
	sniffer := l.R2.Start(lab.Binary("rvrrpd"), "-m0", "-i", lab.Interface, "-c", conf, "--json", "-w", file)
	sniffer.AwaitLine(0, 10*time.Second, `"verdict"`)
	daemon := l.R2.Start(lab.Binary("rvrrpd"), "-m1", "-c", conf)
	vr := func(i int) string {
		return fmt.Sprintf("backup->active vr=%s/%d/ipv%d ", lab.Interface, 101+i, map[bool]int{false: 4, true: 6}[cases[i].ipv6])
	}
	for i, tt := range cases {
		if !strings.HasSuffix(tt.verdicts, "accept") {
			daemon.AwaitLine(0, 20*time.Second, vr(i))
		}
	}
	sniffer.Terminate(10 * time.Second)
	var said strings.Builder
	for _, line := range sniffer.From(0) {
		said.WriteString(line.Text + "\n")
	}
	live := verdicts(sniffedPackets(t, said.String()), l.R1.MAC)
	read := verdicts(sniffFile(t, "-r", file, "-i", lab.Interface, "-c", conf), l.R1.MAC)
	for i, tt := range cases {
		if live[101+i] != tt.verdicts || read[101+i] != tt.verdicts {
			t.Errorf("%s (VRID %d): verdicts %s, of what was written %s, want %s", tt.name, 101+i, live[101+i], read[101+i], tt.verdicts)
		}
		if strings.HasSuffix(tt.verdicts, "accept") && daemon.Said(0, vr(i)) {
			t.Errorf("%s (VRID %d): the daemon has not heard it", tt.name, 101+i)
		}
	}
	daemon.AwaitLine(0, 20*time.Second, "packets dropped.*reason=ttl ")
	for _, line := range daemon.From(0) {
		if strings.Contains(line.Text, "packets dropped") && !strings.Contains(line.Text, "reason=ttl ") {
			t.Errorf("the daemon said %s", line.Text)
		}
	}
}
