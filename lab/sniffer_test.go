//go:build lab

package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// sniffedPacket is what is read of rvrrpd -m0 --json.
type sniffedPacket struct {
	Time, Interface, Src, Dst, Verdict string
	NotReceived                        string `json:"not_received"`
	SrcMAC                             string `json:"src_mac"`
	Family, Version, VRID, Priority    int
	TTL                                int
	IntervalMS                         int `json:"interval_ms"`
	Addresses, Errors                  []string
	AuthType                           string `json:"auth_type"`
	Checksum                           struct {
		Valid bool
		Form  string
	}
}

func sniffedPackets(t *testing.T, text string) (all []sniffedPacket) {
	t.Helper()
	for line := range strings.Lines(text) {
		var p sniffedPacket
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, p)
	}
	return all
}

// TestSniffer listens to keepalived: what it tells is what keepalived is
// configured to send, the capture it writes is one for tshark, and reading
// that again, in either format and without any privilege, tells the same.
func TestSniffer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version int
		ipv6    bool
	}{{2, false}, {3, false}, {3, true}} {
		t.Run(fmt.Sprintf("VRRPv%d %v", tt.version, map[bool]string{false: "IPv4", true: "IPv6"}[tt.ipv6]), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := lab.Router{Kind: lab.Keepalived, Version: tt.version, Priority: high, IPv6: tt.ipv6}
			keepalived := l.R1.Run(r)
			keepalived.AwaitActive(0)
			// Where everybody may read it.
			dir, err := os.MkdirTemp("", "sniffer")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "it.pcap")
			p := l.R2.Start(lab.Binary("rvrrpd"), "-m0", "-i", lab.Interface, "--json", "-w", file, "--count", "4")
			p.AwaitLine(0, 10*time.Second, `"time"`)
			confinedSniffer(t, p)
			if status := p.AwaitExit(10 * time.Second); status != 0 {
				t.Fatalf("status %d; it said\n%s", status, p.Output())
			}
			var text strings.Builder
			for _, line := range p.From(0) {
				text.WriteString(line.Text + "\n")
			}
			live := sniffedPackets(t, text.String())
			if len(live) != 4 {
				t.Fatalf("%d packets:\n%s", len(live), text.String())
			}
			for _, one := range live {
				family := map[bool]int{false: 4, true: 6}[tt.ipv6]
				if one.Interface != lab.Interface || one.Family != family || one.Version != tt.version || one.VRID != lab.VRID || one.Priority != high ||
					one.TTL != 255 || one.IntervalMS != 1000 || !one.Checksum.Valid || len(one.Errors) > 0 || one.SrcMAC != r.MAC() || len(one.Addresses) != len(r.VIPs()) {
					t.Errorf("%+v", one)
				}
				if at, err := time.Parse(time.RFC3339Nano, one.Time); err != nil || time.Since(at) > time.Minute || time.Until(at) > 0 {
					t.Errorf("time %s: %v", one.Time, err)
				}
			}

			out, err := exec.Command("tshark", "-r", file, "-T", "fields", "-e", "vrrp.virt_rtr_id", "-e", "vrrp.prio").Output()
			if want := strings.Repeat(fmt.Sprintf("%d\t%d\n", lab.VRID, high), 4); err != nil || string(out) != want {
				t.Errorf("tshark: %v: %q", err, out)
			}
			ng := filepath.Join(dir, "it.pcapng")
			if out, err := exec.Command("editcap", "-F", "pcapng", file, ng).CombinedOutput(); err != nil {
				t.Fatalf("editcap: %v: %s", err, out)
			}
			if err := os.Chmod(file, 0o644); err != nil {
				t.Fatal(err)
			}
			nobody := []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all"}
			for name, argv := range map[string][]string{"as root": nil, "as nobody": nobody} {
				for _, f := range []string{file, ng} {
					argv := append(append([]string{}, argv...), lab.Binary("rvrrpd"), "-m0", "-i", lab.Interface, "-r", f, "--json")
					cmd := exec.Command(argv[0], argv[1:]...)
					out, err := cmd.Output()
					if err != nil || string(out) != text.String() {
						t.Errorf("%s, %s: %v: %s\nwant %s", name, f, err, out, text.String())
					}
				}
			}
		})
	}
}

// confinedSniffer looks at the processes of a sniffer: none has a capability,
// each is behind a filter, and the one that decodes has no interface.
func confinedSniffer(t *testing.T, p *lab.Process) {
	t.Helper()
	pids := append([]int{p.PID}, lab.Descendants(p.PID)...)
	if len(pids) != 3 {
		t.Errorf("%d processes", len(pids))
	}
	for _, pid := range pids {
		s := lab.Status(pid)
		caps := lab.CapabilityNames(s["CapEff"])
		if s["Name"] != "rvrrpd-spawn" && caps != "none" || s["Seccomp"] != "2" || s["NoNewPrivs"] != "1" {
			t.Errorf("%s: capabilities %s, seccomp %s, no_new_privs %s", s["Name"], caps, s["Seccomp"], s["NoNewPrivs"])
		}
	}
	if child := lab.Children(p.PID); len(child) != 1 || len(lab.Interfaces(child[0])) != 1 {
		t.Errorf("network processes %v", child)
	}
}

// TestSnifferVerdict: with a configuration it says of each packet what the
// daemon with that configuration does with it.
func TestSnifferVerdict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, configuration, verdict string }{
		{"the same", "version = 2\n", "accept"},
		{"another interval", "version = 2\ntimers = { advert = 2 }\n", "adver-interval"},
		{"version 3", "version = 3\n", "version"},
		{"another address", "vip = \"10.9.0.253/24\"\n", "address-list"},
		{"a password", "auth_type = \"rfc2338-simple\"\nauth_secret = \"hushhush\"\n", "auth-type"},
		{"HMAC", "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"" + strings.Repeat("k", 40) + "\"\n", "no-trailer"},
		{"another group", "group = 99\n", "vrid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			peer := lab.Router{Kind: lab.Keepalived, Priority: high}
			if tt.verdict == "vrid" { // of foreign groups the kernel passes a sample only
				peer.Version, peer.Interval = 3, 10*time.Millisecond
			}
			keepalived := l.R1.Run(peer)
			keepalived.AwaitActive(0)
			text := fmt.Sprintf("[[vrouter]]\ninterface = %q\npriority = 50\n", lab.Interface)
			if !strings.Contains(tt.configuration, "group") {
				text += "group = " + strconv.Itoa(lab.VRID) + "\n"
			}
			if !strings.Contains(tt.configuration, "vip") {
				text += "vip = \"" + lab.VIP.String() + "/24\"\n"
			}
			conf := filepath.Join(t.TempDir(), "conf")
			if err := os.WriteFile(conf, []byte(text+tt.configuration), 0o600); err != nil {
				t.Fatal(err)
			}
			sniffer := l.R2.Start(lab.Binary("rvrrpd"), "-m0", "-i", lab.Interface, "-c", conf, "--json", "--count", "2")
			daemon := l.R2.Start(lab.Binary("rvrrpd"), "-m1", "-c", conf)
			sniffer.AwaitExit(10 * time.Second)
			for _, line := range sniffer.From(0) {
				if one := sniffedPackets(t, line.Text+"\n")[0]; one.Verdict != tt.verdict {
					t.Errorf("verdict %s, want %s", one.Verdict, tt.verdict)
				}
			}
			if tt.verdict == "accept" {
				time.AfterFunc(3*time.Second, func() { daemon.Signal(syscall.SIGTERM) })
				daemon.AwaitExit(10 * time.Second)
				if daemon.Said(0, "packets dropped") || daemon.Said(0, "backup->active") {
					t.Errorf("the daemon said\n%s", daemon.Output())
				}
				return
			}
			daemon.AwaitLine(0, 5*time.Second, "packets dropped.*reason="+tt.verdict+" ")
		})
	}
}
