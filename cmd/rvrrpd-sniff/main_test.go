package main

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestCommandLine: it is rvrrpd that calls it, of the same build, and what is not so is
// told at once.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{
		"": exitUsage, "--iface=eth0 more": exitUsage, "-i eth0": exitUsage, "--count=x --iface=eth0": exitUsage, "--version": 0,
		"--iface=eth0 --build=other": exitFailure, "--read=- --own=eth0": exitUsage, "--read=- --conf=/nowhere": exitConfig,
	} {
		var stdout, stderr bytes.Buffer
		if got := run(strings.Fields(args), &stdout, &stderr); got != want || (want == 0) != (stderr.Len() == 0) {
			t.Errorf("%q: %d, want %d; it said %s%s", args, got, want, stdout.String(), stderr.String())
		}
	}
}

// TestOwnAddresses: a list of either kind, and nothing else.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	ips, macs, err := ownAddresses("10.0.0.1,02:00:00:00:00:01,fe80::1")
	if err != nil || !slices.Equal(ips, []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")}) || !slices.Equal(macs, [][6]byte{{2, 0, 0, 0, 0, 1}}) {
		t.Errorf("%v, %v, %v", ips, macs, err)
	}
	for _, list := range []string{"eth0", "10.0.0", "fe80::1%eth0", "::ffff:10.0.0.1", "02:00:00:00:00", strings.Repeat("10.0.0.1,", 17)} {
		if _, _, err := ownAddresses(list); err == nil || !strings.Contains(err.Error(), "--own") {
			t.Errorf("%s: %v", list, err)
		}
	}
	if ips, macs, err := ownAddresses(""); err != nil || len(ips)+len(macs) > 0 {
		t.Errorf("none: %v, %v, %v", ips, macs, err)
	}
}
