package conf

import "strconv"

// DefaultDevice returns the next default for a virtual router: standby<VRID>,
// then standby<VRID>-2, -3 and so on. next counts what was given out.
func DefaultDevice(vrid uint8, next map[uint8]int) string {
	name := "standby" + strconv.Itoa(int(vrid))
	next[vrid]++
	if n := next[vrid]; n > 1 {
		name += "-" + strconv.Itoa(n)
	}
	return name
}

// KeepDevices lets routers whose device has a default name keep the one that
// they had before, given by the names of the routers: which default is whose
// depends on the order of the file, and no device is made anew because a
// router was put in front. What the file names or uses itself comes first.
func (c *Config) KeepDevices(before map[string]string) {
	taken := map[string]bool{}
	for i := range c.Routers {
		r := &c.Routers[i]
		if taken[r.Interface] = true; !r.DefaultDevice {
			taken[r.DeviceName] = true
		}
	}
	var rest []*Router
	for i := range c.Routers {
		r := &c.Routers[i]
		kept := before[r.Name()]
		switch {
		case !r.DefaultDevice:
		case kept == "" || taken[kept]:
			rest = append(rest, r)
		default:
			r.DeviceName, taken[kept] = kept, true
		}
	}
	next := map[uint8]int{}
	for _, r := range rest {
		for r.DeviceName = DefaultDevice(r.VRID, next); taken[r.DeviceName]; {
			r.DeviceName = DefaultDevice(r.VRID, next)
		}
		taken[r.DeviceName] = true
	}
}
