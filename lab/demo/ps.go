package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/rvrrpd/rvrrpd/lab"
)

// listProcesses shows who runs as what, as the kernel tells it.
func listProcesses(daemons ...*lab.Daemon) {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\tPID\tUSER\tCAPABILITIES\tNO_NEW_PRIVS\tSECCOMP\tNET\tSEES\tCOMMAND")
	for _, d := range daemons {
		for _, pid := range append([]int{d.PID}, lab.Descendants(d.PID)...) {
			s := lab.Status(pid)
			uid, _, _ := strings.Cut(s["Uid"], " ")
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Node.Name, pid, lab.UserName(uid),
				lab.CapabilityNames(s["CapEff"]), yes(s["NoNewPrivs"]), seccomp(s["Seccomp"]),
				lab.NetNamespace(pid), strings.Join(lab.Interfaces(pid), " "), s["Name"])
		}
	}
	w.Flush()
}

func seccomp(mode string) string {
	if mode == "2" {
		return "filter"
	}
	return "-"
}

func yes(flag string) string {
	if flag == "1" {
		return "yes"
	}
	return "no"
}
