package parent

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestPrepareUnlocks: a reload that fails after it has locked new interfaces
// leaves them to others, and keeps those it had.
func TestPrepareUnlocks(t *testing.T) {
	was := runDir
	runDir = t.TempDir()
	defer func() { runDir = was }()
	d := fuzzed()
	d.kernel, d.locks = &kernel{marks: true}, map[string]*os.File{}
	for _, s := range d.slots {
		d.links[s.link].slots = append(d.links[s.link].slots, s)
	}
	if _, err := d.lockLinks(d.slots); err != nil {
		t.Fatal(err)
	}
	for _, l := range d.links {
		l.index = 1 << 30 // no socket can join a group there
	}
	c := &conf.Config{Routers: []conf.Router{
		{VRID: 7, Version: 3, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.254")}}},
		{VRID: 7, Version: 3, Interface: "eth7", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.253")}}},
	}}
	slots, generation := len(d.slots), d.generation
	if err := d.prepare(c); err == nil {
		t.Fatal("prepared without sockets")
	}
	files, err := os.ReadDir(runDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name()[strings.Index(f.Name(), ".")+1:])
	}
	if got := strings.Join(names, " "); got != "eth0.lock eth1.lock" || len(d.locks) != 2 {
		t.Errorf("locked: %s (%d)", got, len(d.locks))
	}
	if len(d.slots) != slots || d.old != nil || d.generation != generation || d.find(ipc.Link(0), 7) == nil {
		t.Error("something has changed")
	}
}
