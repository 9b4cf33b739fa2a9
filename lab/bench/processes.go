package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// tree is a process and all below it.
func tree(p *lab.Process) []int { return append(lab.Descendants(p.PID), p.PID) }

// processor is what all threads of processes have had of a processor, to
// nanoseconds: the ticks of /proc/PID/stat would tell nothing of a daemon that
// needs less than one in a second. Children that have ended are in ticks alone.
func processor(pids ...int) (sum time.Duration) {
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		sum += ended(string(stat))
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, f := range files {
			b, _ := os.ReadFile(f) // a thread may have ended
			sum += onProcessor(string(b))
		}
	}
	return sum
}

// processor1 is what the first thread of a process has had.
func processor1(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", pid, pid))
	return onProcessor(string(b))
}

// ended reads a stat file: what children have had that were waited for, in the
// 16th and 17th field, in hundredths of a second.
func ended(stat string) (sum time.Duration) {
	after := stat[strings.LastIndex(stat, ")")+1:] // the name before it may have any character
	if f := strings.Fields(after); len(f) > 14 {
		for _, ticks := range f[13:15] {
			n, _ := strconv.Atoi(ticks)
			sum += time.Duration(n) * time.Second / 100
		}
	}
	return sum
}

// onProcessor reads a schedstat file: the first number is the time, in nanoseconds.
func onProcessor(schedstat string) time.Duration {
	first, _, _ := strings.Cut(strings.TrimSpace(schedstat), " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}

// memory is the proportional share of memory of processes, in MiB.
func memory(pids ...int) (mib float64) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		mib += float64(proportional(string(b))) / 1024
	}
	return mib
}

// proportional reads a smaps_rollup file: the line "Pss", in KiB.
func proportional(smaps string) (kib int) {
	for line := range strings.Lines(smaps) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kib, _ = strconv.Atoi(f[1])
		}
	}
	return kib
}
