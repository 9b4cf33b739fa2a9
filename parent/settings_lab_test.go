//go:build lab

package parent

import "errors"

// change sets what differing listed.
func change(settings []setting) error {
	var errs []error
	for _, s := range settings {
		errs = append(errs, writeSysctl(s.family, s.iface, s.name, s.set))
	}
	return errors.Join(errs...)
}
