package parent

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/records"
	"golang.org/x/sys/unix"
)

// TestLife: how long the kernel leaves addresses alone; put again so seldom that
// a lease later they are still there.
func TestLife(t *testing.T) {
	for _, tt := range []struct {
		name     string
		lease    string
		tables   bool
		ioctl    bool
		interval time.Duration
		want     uint32
		each     bool // put again with each advertisement
		sixes    int
	}{
		{"second line", "auto", true, false, time.Second, 15, false, 0},
		{"second line, 10 ms", "nftables", true, false, 10 * time.Millisecond, 15, false, 0},
		{"second line, 40 s", "auto", true, false, 40 * time.Second, 400, false, 0},
		{"second line, 255 s", "auto", true, false, 255 * time.Second, 2550, false, 0},
		{"second line, 100 IPv6 addresses", "auto", true, false, time.Second, 15, false, 100},
		{"second line, 2000 IPv6 addresses", "auto", true, false, time.Second, 115, false, 2000},
		{"only line", "lifetime", false, false, time.Second, 2, true, 0},
		{"only line, 40 s", "lifetime", false, false, 40 * time.Second, 119, true, 0},
		{"only line, and nftables for accept_mode", "lifetime", true, false, time.Second, 2, true, 0},
		{"no nftables", "auto", false, false, time.Second, 2, true, 0},
		{"no nftables, 300 ms", "auto", false, false, 300 * time.Millisecond, 15, false, 0},
		{"off", "off", false, false, time.Second, 0, false, 0},
		{"ioctl", "auto", true, true, time.Second, 0, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &daemon{keeper: unread(), broker: broker{leasing: leasing{lease: tt.lease, sixes: tt.sixes}, now: int64(time.Hour)}}
			d.silences = tt.tables
			s := &slot{page: page{grant: grant{ioctl: tt.ioctl, family: ipc.IPv6, interval: tt.interval, lease: records.LeaseIntervals * tt.interval}}}
			life := d.life(&s.page)
			if life != tt.want {
				t.Errorf("%d s, want %d", life, tt.want)
			}
			if d.ages(&s.page) != (life > 0) {
				t.Error("not put again although it has no lifetime yet")
			}
			d.reviveSoon(&s.page)
			d.now += int64(tt.interval)
			if d.ages(&s.page) != tt.each && tt.interval < time.Duration(life)*time.Second/2 {
				t.Errorf("put again with the next advertisement: %v, want %v", d.ages(&s.page), tt.each)
			}
			if life == 0 || tt.each {
				return
			}
			for !d.ages(&s.page) {
				d.now += int64(tt.interval)
			}
			if left := time.Duration(life)*time.Second - time.Duration(d.now-s.aged); left <= s.lease {
				t.Errorf("%v before its end, which is sooner than that of the lease, %v", left, s.lease)
			}
		})
	}
}

// TestPutForLife: an address that nothing else would silence is never there
// without its lifetime, not for the moment in which we may be killed; a takeover
// waits for no second line.
func TestPutForLife(t *testing.T) {
	ways := map[string]func(d *daemon, s *slot) error{
		"takeover": func(d *daemon, s *slot) error {
			code := d.takeSoon(&s.page, ipc.Header{})
			d.acquireAll()
			if code != ipc.CodeDone {
				return errors.New(code.String())
			}
			return nil
		},
		"repair": func(d *daemon, s *slot) error {
			s.held, s.placed = true, d.place(&s.page)
			return d.put(&s.page, s.placed)
		},
	}
	for _, tt := range []struct {
		lease  string
		tables bool
		want   uint32
	}{{"lifetime", false, 2}, {"lifetime", true, 2}, {"auto", false, 2}, {"auto", true, 0}, {"nftables", true, 0}, {"off", false, 0}} {
		for way, put := range ways {
			t.Run(fmt.Sprintf("%s, tables %v, %s", tt.lease, tt.tables, way), func(t *testing.T) {
				d, _, e := besieged(t)
				d.lease, d.silences = tt.lease, tt.tables
				var want []netip.Addr
				for _, s := range []*slot{d.slots[0], d.slots[2]} { // of either family
					if err := put(d, s); err != nil {
						t.Error(err)
					}
					for _, a := range s.placed {
						want = append(want, a.Prefix.Addr())
					}
				}
				got := make(map[netip.Addr]bool)
				for _, a := range e.close() {
					if a.kind != unix.RTM_NEWADDR {
						continue
					}
					if got[a.addr] = true; a.life != tt.want {
						t.Errorf("%v for %d s, want %d", a.addr, a.life, tt.want)
					}
				}
				if len(want) != 4 || len(got) != len(want) {
					t.Errorf("%v put, want %v", got, want)
				}
			})
		}
	}
}
