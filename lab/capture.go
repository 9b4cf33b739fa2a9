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

// Capture starts to record the VRRP, ARP and neighbor discovery frames that
// cross the bridge.
func (l *Lab) Capture() *Capture {
	l.Helper()
	file := filepath.Join(l.TempDir(), "lab.pcap")
	c := &Capture{file: file, Process: l.Switch.Start("tcpdump", "-i", bridge, "-U", "-Z", "root", "--immediate-mode",
		"--time-stamp-precision=nano", "-w", file, "arp or ip proto 112 or ip6 proto 112 or icmp6[0] == 135 or icmp6[0] == 136")}
	c.AwaitLine(0, 5*time.Second, "listening on")
	return c
}

// fields are what tshark is asked for, in this order.
var fields = []string{
	"frame.time_epoch", "frame.len", "eth.src", "eth.dst",
	"ip.src", "ip.dst", "ip.ttl", "ip.dsfield", "ip.checksum.status",
	"vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.addr_count", "vrrp.adver_int", "vrrp.ip_addr", "vrrp.checksum.status",
	"arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4",
	"vrrp.short_adver_int", "ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.tclass", "vrrp.ipv6_addr",
	"icmpv6.type", "icmpv6.checksum.status", "icmpv6.nd.ns.target_address", "icmpv6.nd.na.target_address",
	"icmpv6.nd.na.flag.r", "icmpv6.nd.na.flag.s", "icmpv6.nd.na.flag.o", "icmpv6.opt.linkaddr",
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
	if r.text("icmpv6.type") != "" {
		f.ND = r.nd()
		return f, r.err
	}
	f.VRRP = r.vrrp()
	return f, r.err
}

func (r *row) vrrp() *VRRP {
	v := &VRRP{Version: r.number("vrrp.version"), VRID: r.number("vrrp.virt_rtr_id"), Priority: r.number("vrrp.prio"),
		Count: r.number("vrrp.addr_count"), ChecksumGood: r.text("vrrp.checksum.status") == good}
	list := "vrrp.ip_addr"
	if r.text("ipv6.src") != "" {
		list = "vrrp.ipv6_addr"
		v.Src, v.Dst, v.TTL, v.DSField = r.ip("ipv6.src"), r.ip("ipv6.dst"), r.number("ipv6.hlim"), r.number("ipv6.tclass")
	} else {
		v.Src, v.Dst, v.TTL, v.DSField = r.ip("ip.src"), r.ip("ip.dst"), r.number("ip.ttl"), r.number("ip.dsfield")
		v.IPChecksumGood = r.text("ip.checksum.status") == good
	}
	interval := "vrrp.adver_int"
	if v.Version == 3 {
		interval = "vrrp.short_adver_int"
	}
	v.Inter = r.number(interval)
	for a := range strings.SplitSeq(r.text(list), ",") {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			r.err = err
		}
		v.Addrs = append(v.Addrs, addr)
	}
	return v
}

func (r *row) nd() *ND {
	n := &ND{Type: r.number("icmpv6.type"), Src: r.ip("ipv6.src"), Dst: r.ip("ipv6.dst"), HopLimit: r.number("ipv6.hlim"),
		LinkAddr: r.text("icmpv6.opt.linkaddr")}
	if r.text("icmpv6.checksum.status") != good {
		r.err = fmt.Errorf("checksum of neighbor discovery is wrong")
	}
	if n.Type == NeighborSolicitation {
		n.Target = r.ip("icmpv6.nd.ns.target_address")
		return n
	}
	n.Target = r.ip("icmpv6.nd.na.target_address")
	n.Router, n.Solicited, n.Override = r.flag("icmpv6.nd.na.flag.r"), r.flag("icmpv6.nd.na.flag.s"), r.flag("icmpv6.nd.na.flag.o")
	return n
}

// flag is a bit, which some versions of tshark write as a word.
func (r *row) flag(name string) bool { v := r.text(name); return v == "1" || v == "True" }
