package netproc

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestOwner: who owns the addresses is Active at once, with priority 255,
// and never yields (S1, S13); who owns only some stays out of it.
func TestOwner(t *testing.T) {
	t.Parallel()
	owner := record()
	owner.Ownership = ipc.OwnsAll
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), owner, linkUp, ipc.Commit{Routers: 1})
	takeover := []string{"g1 s0 advertise v2 vrid=7 priority=255 every 1s [10.77.0.254]", "g1 s0 acquire", "g1 s0 announce 0+1", "g1 s0 initialize->active owner"}
	d.expect("started", d.turn(), append([]string{"g1 ready"}, takeover...)...)
	d.now += ms
	d.frame(d.now, advertisement(peer, good(254)))
	d.expect("a lower one", d.turn())

	d.say(ipc.Slot(0), ipc.Owner{Ownership: ipc.OwnsSome})
	goodbye := []string{"g1 s0 advertise v2 vrid=7 priority=0 every 1s [10.77.0.254]", "g1 s0 release", "g1 s0 active->initialize shutdown"}
	d.expect("an address is gone", d.turn(), goodbye...)
	if next := d.p.next(); next != never {
		t.Errorf("due at %d, want never", next)
	}
	d.say(ipc.LinkState{Link: 0}, linkUp)
	d.expect("the link comes back", d.turn())

	d.say(ipc.Slot(0), ipc.Owner{})
	d.expect("all are gone", d.turn(), "g1 s0 initialize->backup startup")
	d.say(ipc.Slot(0), ipc.Owner{})
	d.expect("the same again", d.turn())
	d.say(ipc.Slot(0), ipc.Owner{Ownership: ipc.OwnsAll})
	d.expect("and back", d.turn(), append([]string{"g1 s0 backup->initialize shutdown"}, takeover...)...)
}

// TestOwnerStaged: what changes before Commit counts at Commit; a slot held
// for one that owns only some addresses is given back.
func TestOwnerStaged(t *testing.T) {
	t.Parallel()
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), ipc.Slot(0), ipc.Owner{Ownership: ipc.OwnsSome}, ipc.Slot(0), ipc.Restore{}, linkUp, ipc.Commit{Routers: 1})
	d.expect("started", d.turn(), "g1 ready", "g1 s0 release")
}

// TestEveryFieldCounts: a record that differs in anything is taken over, by
// the same router as long as it is the same virtual router.
func TestEveryFieldCounts(t *testing.T) {
	t.Parallel()
	r := reflect.ValueOf(ipc.Router{})
	for i := range r.NumField() {
		d := configured(t, record())
		changed := record()
		f := reflect.ValueOf(&changed).Elem().Field(i)
		switch name := r.Type().Field(i).Name; name {
		case "Link", "Family", "Version": // what fits together
			continue
		case "Addresses":
			changed.Addresses = []netip.Addr{virtual2}
		case "Migration":
			changed.Version, changed.Migration = 3, true
		case "Auth":
			changed.Auth = ipc.AuthP0
		case "HMAC":
			changed.HMAC.Window = 9
		case "AdverInterval":
			changed.AdverInterval = 2 * second
		case "Ownership":
			changed.Ownership = ipc.OwnsAll
		default:
			switch f.Kind() {
			case reflect.Bool:
				f.SetBool(!f.Bool())
			case reflect.Int64:
				f.SetInt(f.Int() + 1)
			default:
				f.SetUint(f.Uint() + 1)
			}
		}
		before := d.p.at(0)
		d.generation = 2
		d.say(ipc.Slot(0), changed, ipc.Commit{Routers: 1})
		d.turn()
		if now := d.p.at(0); !reflect.DeepEqual(now.record, changed) || (now == before) != (r.Type().Field(i).Name != "VRID") {
			t.Errorf("%s: changed to %+v, the same router: %v", r.Type().Field(i).Name, now.record, now == before)
		}
	}
}
