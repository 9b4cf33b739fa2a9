package netproc

import (
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// TestSniffGolden: the names and the order of the keys are an interface, and
// stay as they are.
func TestSniffGolden(t *testing.T) {
	t.Parallel()
	p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, ipc.Slot(0), record(), ipc.Slot(1), record6(), linkUp, linkUp6, ipc.Commit{Routers: 2})
	v3 := good(200)
	v3.Version, v3.Checksum = 3, wire.FormPseudoHeader
	carp := append([]byte{0x21, 9, 100, 7, 0, 1, 0xde, 0xad}, make([]byte, 28)...)
	tagged := ethernet(advertisement(peer, good(200)))
	tagged = append(append(append([]byte{}, tagged[:12]...), 0x81, 0, 0xe0, 5), tagged[12:]...)
	ka := samples(t)[0].records[0]
	for _, tt := range []struct {
		name string
		m    sniffing.Capture
		want string
	}{
		{"version 2", sniffing.Capture{Frame: ethernet(advertisement(peer, good(200)))},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":2,"type":1,"vrid":7,"priority":200,"count":1,"addresses":["10.77.0.254"],"auth_type":"none","interval_ms":1000,"checksum":{"received":"0x0bab","valid":true,"form":"rfc3768"},"errors":[],"verdict":"accept"}`},
		{"version 3", sniffing.Capture{Frame: ethernet(advertisement(peer, v3))},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":3,"type":1,"vrid":7,"priority":200,"count":1,"addresses":["10.77.0.254"],"auth_type":"none","interval_ms":1000,"checksum":{"received":"0x106b","valid":true,"form":"rfc5798"},"errors":[],"verdict":"version"}`},
		{"IPv6", sniffing.Capture{Frame: ethernet(advertisement6(peer6, good6(200)))},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"fe80::1","dst":"ff02::12","ttl":255,"family":6,"protocol":"vrrp","version":3,"type":1,"vrid":7,"priority":200,"count":2,"addresses":["fe80::5e00:207","2001:db8::254"],"auth_type":"none","interval_ms":1000,"checksum":{"received":"0x79cd","valid":true,"form":"rfc9568"},"errors":[],"verdict":"accept"}`},
		{"HMAC", sniffing.Capture{Frame: ka.Frame},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"5a:3e:ef:70:38:7c","dst_mac":"01:00:5e:00:00:12","src":"10.78.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":3,"type":1,"vrid":31,"priority":201,"count":1,"addresses":["10.78.0.110"],"auth_type":"hmac","interval_ms":500,"checksum":{"received":"0x1013","valid":true,"form":"rfc5798"},"hmac":{"key_id":7,"seconds":1795393085,"fraction":12869,"counter":0},"errors":[],"verdict":"vrid"}`},
		{"CARP", sniffing.Capture{Frame: ethernet(packet(peer, carp))},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"carp","carp":{"vhid":9,"advskew":100,"advbase":1},"errors":[],"verdict":"length"}`},
		{"malformed", sniffing.Capture{Frame: ethernet(packet(peer, append([]byte{0x32, 7, 0, 9, 0, 0, 0, 0}, 10, 77, 0, 254)))},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":3,"type":2,"vrid":7,"priority":0,"count":9,"addresses":["10.77.0.254"],"auth_type":"none","interval_ms":0,"checksum":{"received":"0x0000"},"errors":["type","length","interval"],"verdict":"version"}`},
		{"nothing of a message", sniffing.Capture{Frame: ethernet(packet(peer, []byte{0x31}))},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":3,"type":1,"errors":["length"],"verdict":"length"}`},
		{"a tag", sniffing.Capture{Frame: tagged},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","vlan":5,"src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":2,"type":1,"vrid":7,"priority":200,"count":1,"addresses":["10.77.0.254"],"auth_type":"none","interval_ms":1000,"checksum":{"received":"0x0bab","valid":true,"form":"rfc3768"},"errors":[],"verdict":"not-received","not_received":"vlan"}`},
		{"cut", sniffing.Capture{Length: 60, Frame: ethernet(advertisement(peer, good(200)))[:14+20+10]},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":2,"type":1,"vrid":7,"priority":200,"count":1,"auth_type":"none","interval_ms":1000,"checksum":{"received":"0x0bab"},"truncated":true,"errors":[]}`},
		{"fragment", sniffing.Capture{Frame: ethernet(fragmented(advertisement(peer, good(200)), 8)[0])},
			`{"time":"2023-11-14T22:13:20.123456789Z","interface":"eth7","src_mac":"00:00:5e:00:01:07","dst_mac":"01:00:5e:00:00:12","src":"10.77.0.1","dst":"224.0.0.18","ttl":255,"family":4,"protocol":"vrrp","version":2,"type":1,"vrid":7,"priority":200,"count":1,"auth_type":"none","interval_ms":1000,"checksum":{"received":"0x0bab"},"errors":["fragment"],"verdict":"incomplete"}`},
	} {
		tt.m.Time, tt.m.LinkType, tt.m.Interface = 1700000000_123456789, 1, "eth7"
		if got := shows(p, tt.m); got != tt.want+"\n" {
			t.Errorf("%s:\ngot  %swant %s", tt.name, got, tt.want)
		}
	}
}
