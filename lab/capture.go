package lab

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Capture is tcpdump on the switch. Decoded by tshark, it is the judge of
// what was on the wire.
type Capture struct {
	*Process
	file string
}

// Capture starts to record the VRRP and ARP frames that cross the bridge.
func (l *Lab) Capture() *Capture {
	l.Helper()
	file := filepath.Join(l.TempDir(), "lab.pcap")
	c := &Capture{file: file, Process: l.Switch.Start("tcpdump", "-i", bridge, "-U", "-Z", "root", "--immediate-mode",
		"--time-stamp-precision=nano", "-w", file, "arp or ip proto 112")}
	c.AwaitLine(0, 5*time.Second, "listening on")
	return c
}

// fields are what tshark is asked for, in this order.
var fields = []string{
	"frame.time_epoch", "frame.len", "eth.src", "eth.dst",
	"ip.src", "ip.dst", "ip.ttl", "ip.dsfield", "ip.checksum.status",
	"vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.addr_count", "vrrp.adver_int", "vrrp.ip_addr", "vrrp.checksum.status",
	"arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4",
}

// decoding keeps tshark from running more than once at a time: it would cost
// daemons under test the processor.
var decoding = make(chan struct{}, 1)

// Stop ends the capture and returns its frames as tshark reads them.
func (c *Capture) Stop() []Frame {
	c.lab.Helper()
	c.Signal(syscall.SIGINT)
	c.AwaitExit(5 * time.Second)
	args := []string{"-n", "10", "tshark", "-n", "-r", c.file, "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	decoding <- struct{}{}
	out, err := exec.Command("nice", args...).Output()
	<-decoding
	if err != nil {
		c.lab.Fatalf("tshark: %v", err)
	}
	var frames []Frame
	for line := range strings.Lines(string(out)) {
		f, err := decode(strings.Split(strings.TrimRight(line, "\n"), "|"))
		if err != nil {
			c.lab.Fatalf("tshark: %v: %q", err, line)
		}
		frames = append(frames, f)
	}
	if len(frames) == 0 {
		c.lab.Fatalf("tshark: no frame in the capture; tcpdump said\n%s", c.Output())
	}
	return frames
}

// row reads one line of tshark's and remembers the first error.
type row struct {
	values []string
	err    error
}

func (r *row) text(name string) string {
	for i, f := range fields {
		if f == name && i < len(r.values) {
			return r.values[i]
		}
	}
	r.err = fmt.Errorf("no field %s", name)
	return ""
}

func (r *row) number(name string) int {
	v, err := strconv.ParseInt(r.text(name), 0, 64)
	if err != nil {
		r.err = err
	}
	return int(v)
}

func (r *row) ip(name string) netip.Addr {
	a, err := netip.ParseAddr(r.text(name))
	if err != nil {
		r.err = err
	}
	return a
}

// good is tshark's status of a checksum that is right.
const good = "1"

func decode(values []string) (f Frame, err error) {
	r := &row{values: values}
	seconds, nanos, _ := strings.Cut(r.text("frame.time_epoch"), ".")
	s, err1 := strconv.ParseInt(seconds, 10, 64)
	ns, err2 := strconv.ParseInt((nanos + "000000000")[:9], 10, 64)
	if err1 != nil || err2 != nil {
		return f, fmt.Errorf("time %q", r.text("frame.time_epoch"))
	}
	f = Frame{Time: time.Unix(s, ns), Len: r.number("frame.len"), Src: r.text("eth.src"), Dst: r.text("eth.dst")}
	if r.text("arp.opcode") != "" {
		f.ARP = &ARP{Op: r.number("arp.opcode"), SenderMAC: r.text("arp.src.hw_mac"), SenderIP: r.ip("arp.src.proto_ipv4"),
			TargetMAC: r.text("arp.dst.hw_mac"), TargetIP: r.ip("arp.dst.proto_ipv4")}
		return f, r.err
	}
	f.VRRP = &VRRP{Src: r.ip("ip.src"), Dst: r.ip("ip.dst"), TTL: r.number("ip.ttl"), DSField: r.number("ip.dsfield"),
		Version: r.number("vrrp.version"), VRID: r.number("vrrp.virt_rtr_id"), Priority: r.number("vrrp.prio"),
		Count: r.number("vrrp.addr_count"), Inter: r.number("vrrp.adver_int"),
		ChecksumGood: r.text("vrrp.checksum.status") == good, IPChecksumGood: r.text("ip.checksum.status") == good}
	for a := range strings.SplitSeq(r.text("vrrp.ip_addr"), ",") {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			return f, err
		}
		f.VRRP.Addrs = append(f.VRRP.Addrs, addr)
	}
	return f, r.err
}
