package main

import (
	"fmt"
	"io"
)

func sniff(o options, stdout, stderr io.Writer) int {
	fmt.Fprintln(stderr, "rvrrpd: -m0 is not there yet")
	return exitUsage
}
