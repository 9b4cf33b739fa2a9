package parent

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// TestWideEnough: IPv6 needs an MTU of 1280, and one line says so.
func TestWideEnough(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	d := &daemon{keeper: unread(), broker: broker{log: slog.New(slog.NewTextHandler(&said, nil))}}
	four, six := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}}}, &link{wire: wire{linkName: linkName{"eth0", ipc.IPv6}}}
	for _, tt := range []struct {
		mtu   int
		six   bool
		lines int
	}{{1500, true, 0}, {1280, true, 0}, {1279, false, 1}, {600, false, 1}, {1500, true, 1}, {1279, false, 2}} {
		info := facts.Link{Index: 3, MTU: tt.mtu}
		if d.wideEnough(four, info).Index == 0 || (d.wideEnough(six, info).Index != 0) != tt.six {
			t.Errorf("MTU %d: IPv4 %v, IPv6 %v", tt.mtu, d.wideEnough(four, info), d.wideEnough(six, info))
		}
		if n := strings.Count(said.String(), "MTU too small"); n != tt.lines {
			t.Errorf("MTU %d: said %d times\n%s", tt.mtu, n, said.String())
		}
	}
	if d.wideEnough(six, facts.Link{}).Index != 0 || strings.Count(said.String(), "\n") != 2 {
		t.Errorf("one that is not there: %s", said.String())
	}
}
