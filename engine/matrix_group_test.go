package engine_test

import (
	"slices"
	"strings"
)

// group is a set of variants with the same outcome.
type group struct {
	outcome string
	members []variant
}

// when describes the members as a union of conditions, each as wide as can be.
func (g *group) when() string {
	var found []string
	left := slices.Clone(g.members)
	for _, fixed := range []int{0, 1, 2, 3} {
		for _, cond := range conditions() {
			match := slices.DeleteFunc(variants(), func(v variant) bool { return !cond.holds(v) })
			if cond.words() != fixed || !subset(match, g.members) || !slices.ContainsFunc(left, cond.holds) {
				continue
			}
			left = slices.DeleteFunc(left, cond.holds)
			found = append(found, cond.String())
		}
	}
	return strings.Join(found, "; ")
}

func subset(a, b []variant) bool {
	return !slices.ContainsFunc(a, func(v variant) bool { return !slices.Contains(b, v) })
}

// condition is a conjunction: per axis "" for any, or the word that must hold.
type condition [3]string

func conditions() []condition {
	var all []condition
	for _, o := range []string{"", "not owner", "owner"} {
		for _, v := range []string{"", "v2", "v3"} {
			for _, p := range []string{"", "preempt", "no preempt"} {
				all = append(all, condition{o, v, p})
			}
		}
	}
	return all
}

func (c condition) holds(v variant) bool {
	agrees := func(word, yes string, is bool) bool { return word == "" || (word == yes) == is }
	return agrees(c[0], "owner", v.owner) && agrees(c[1], "v3", v.v3) && agrees(c[2], "preempt", v.preempt)
}

func (c condition) words() int {
	n := 0
	for _, word := range c {
		if word != "" {
			n++
		}
	}
	return n
}

func (c condition) String() string {
	words := slices.DeleteFunc(slices.Clone(c[:]), func(w string) bool { return w == "" })
	if len(words) == 0 {
		return "always"
	}
	return strings.Join(words, ", ")
}
