//go:build lab

package parent

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/routes"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// TestHandedSocket: by the socket that the keeper is handed, whoever has no capability sees
// routes in the network namespace where it was opened, hears of their changes, and can change
// nothing there.
func TestHandedSocket(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		reports, err := kernel.OpenReports(append(observed, unix.RTNLGRP_IPV4_ROUTE)...)
		if err != nil {
			t.Error(err)
			return
		}
		route := kernel.Route{To: netip.MustParsePrefix("10.64.0.0/16"), Via: netip.MustParseAddr("10.9.0.99"), Metric: 5, MTU: 1400}
		if err := kernel.AddRoute(route); err != nil {
			t.Error(err)
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and it ends with the goroutine
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Error(err)
				return
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
				t.Error(errno)
				return
			}
			sees(t, reports.FD, route)
		}()
		<-done
		want := []kernel.Route{route}
		if got, err := kernel.Routes(); err != nil || !slices.EqualFunc(got, want, kernel.Route.Same) {
			t.Errorf("there is %+v, %v", got, err)
		}
	})
}

// sees does what a keeper may do with a socket, and tries what it may not.
func sees(t *testing.T, fd int, route kernel.Route) {
	s := routes.Over(fd, func(to netip.Prefix) bool { return to == route.To })
	if news, err := s.Hear(); !news || err != nil {
		t.Errorf("the route that was added is no news: %v", err)
	}
	want := routes.Route{To: route.To, Via: route.Via, Metric: route.Metric, MTU: route.MTU}
	if got, err := s.Routes(); err != nil || !slices.Equal(got, []routes.Route{want}) {
		t.Errorf("it sees %+v, %v", got, err)
	}
	for hop, want := range map[string]bool{"10.9.0.99": true, "10.64.0.1": false, "198.51.100.1": false} {
		if got := s.OnLink(netip.MustParseAddr(hop)); got != want {
			t.Errorf("%s is on a link: %v", hop, got)
		}
	}
	for name, request := range map[string]*nl.NetlinkRequest{
		"a route":      request(unix.RTM_NEWROUTE, nl.NewRtMsg(), nl.NewRtAttr(unix.RTA_DST, []byte{10, 65, 0, 0}), nl.NewRtAttr(unix.RTA_GATEWAY, []byte{10, 9, 0, 99})),
		"the loss":     request(unix.RTM_DELROUTE, nl.NewRtDelMsg(), nl.NewRtAttr(unix.RTA_DST, []byte{10, 64, 0, 0})),
		"an interface": request(unix.RTM_NEWLINK, &nl.IfInfomsg{IfInfomsg: unix.IfInfomsg{Index: 1, Change: unix.IFF_UP}}),
		"an address":   request(unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_INET), nl.NewRtAttr(unix.IFA_LOCAL, []byte{10, 9, 0, 77})),
	} {
		if _, err := s.Hear(); err != nil { // whatever waits
			t.Error(err)
		}
		if err := unix.Sendto(fd, request.Serialize(), 0, nil); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b := make([]byte, 4096)
		n, _, err := unix.Recvfrom(fd, b, 0)
		answers, bad := syscall.ParseNetlinkMessage(b[:max(n, 0)])
		if err != nil || bad != nil || len(answers) != 1 || answers[0].Header.Type != unix.NLMSG_ERROR || unix.Errno(-int32(binary.NativeEndian.Uint32(answers[0].Data))) != unix.EPERM {
			t.Errorf("%s: %+v, %v", name, answers, errors.Join(err, bad))
		}
	}
}

// request is one that changes something.
func request(kind int, parts ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(kind, unix.NLM_F_ACK|unix.NLM_F_CREATE)
	for _, p := range parts {
		r.AddData(p)
	}
	return r
}
