package main

import (
	"fmt"
	"strings"
)

// missed has a sentence for each row that is not as wanted, and says by how much.
func missed(rows []*row) string {
	var b strings.Builder
	b.WriteString("\nNot as wanted:\n\n")
	empty := b.Len()
	for _, r := range rows {
		ours, theirs := median(r.Values[rvrrpd]), median(r.Values[keepalived])
		switch {
		case r.Failed != "":
			fmt.Fprintf(&b, "- `%s` could not be measured.\n", r.Name)
		case r.reached() != "no":
		case r.limit.ratio != nil:
			fmt.Fprintf(&b, "- `%s` is %s times keepalived's, wanted %v: %s %s, not %s.\n", r.Name, number(r.ratio()), *r.limit.ratio, number(ours), r.Unit, number(*r.limit.ratio*theirs))
		case r.limit.most != nil:
			fmt.Fprintf(&b, "- `%s` is %s %s, %s more than wanted.\n", r.Name, number(ours), r.Unit, number(ours-*r.limit.most))
		case r.limit.least != nil:
			fmt.Fprintf(&b, "- `%s` is %s %s, %s less than wanted.\n", r.Name, number(ours), r.Unit, number(*r.limit.least-ours))
		}
	}
	if b.Len() == empty {
		return "\nAll is as wanted.\n"
	}
	return b.String()
}
