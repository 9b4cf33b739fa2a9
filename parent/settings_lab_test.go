//go:build lab

package parent

import (
	"errors"

	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// change sets what differing listed.
func change(settings []setting) error {
	var errs []error
	for _, s := range settings {
		errs = append(errs, kernel.WriteSetting(s.family, s.iface, s.name, s.set))
	}
	return errors.Join(errs...)
}
