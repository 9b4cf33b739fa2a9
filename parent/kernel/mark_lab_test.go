//go:build lab

package kernel

import (
	"slices"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/lab/netns"
)

// TestKnows: this kernel knows our mark, and no attribute that nobody has
// thought of yet; asking changes nothing.
func TestKnows(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		before, err := facts.Addresses()
		if err != nil {
			t.Error(err)
		}
		if !k.KeepsMarks() || !k.knows(markAttribute) || k.knows(100) {
			t.Errorf("keeps marks: %v; knows IFA_PROTO: %v, another: %v", k.KeepsMarks(), k.knows(markAttribute), k.knows(100))
		}
		if after, err := facts.Addresses(); err != nil || !slices.Equal(before, after) {
			t.Errorf("%v, before %v: %v", after, before, err)
		}
	})
}
