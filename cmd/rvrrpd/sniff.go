package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent"
)

// sniff is -m0. A configuration judges what is shown, if one is given.
func sniff(o options, stdout, stderr io.Writer) int {
	s := parent.SniffOptions{
		Interface: o.iface, File: o.read, Write: o.write, Count: o.count, VRID: o.vrid,
		JSON: o.jsonForm, Detail: max(o.debug, 0), Out: stdout, Signals: signals.Caught,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	var err error
	if s.Own, s.MACs, err = ownAddresses(o.own); err != nil {
		return failed(stderr, exitUsage, fmt.Errorf("%w; see rvrrpd -h", err))
	}
	if o.given {
		if s.Config = conf.Read(o.file, conf.Format(o.format), stderr); s.Config == nil {
			return exitConfig
		}
	}
	if err := parent.Sniff(s); err != nil {
		return failed(stderr, exitFailure, err)
	}
	return 0
}

// ownAddresses reads a list of IP and hardware addresses, which commas
// separate.
func ownAddresses(list string) (ips []netip.Addr, macs [][6]byte, err error) {
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		if ip, err := netip.ParseAddr(word); err == nil && ip.Zone() == "" && !ip.Is4In6() {
			ips = append(ips, ip)
		} else if mac, err := net.ParseMAC(word); err == nil && len(mac) == 6 {
			macs = append(macs, [6]byte(mac))
		} else {
			return nil, nil, fmt.Errorf("--own %s: neither an IP nor a hardware address", word)
		}
	}
	if len(ips) > ipc.MaxOwn || len(macs) > ipc.MaxOwn {
		return nil, nil, fmt.Errorf("--own: accepted: up to %d addresses of either kind", ipc.MaxOwn)
	}
	return ips, macs, nil
}
