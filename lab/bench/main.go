// Command bench measures rvrrpd and keepalived by turns, in network namespaces
// of its own, and prints a table: what each needs, the ratio, and what is
// wanted. No figure makes it fail; what could not be measured does.
//
// The environment chooses: QUICK=1 for three minutes, ROWS for the rows whose
// names match a regular expression, KEEPALIVED_BIN for another keepalived, HOLD
// for a file: no measurement begins while it is there.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == sendMode {
		fmt.Fprintln(os.Stderr, "bench:", send(os.Args[2], os.Args[3], os.Args[4]))
		os.Exit(1)
	}
	if len(os.Args) == 2 && os.Args[1] == hogMode {
		hog()
	}
	os.Exit(run())
}

// current is the stage of the measurement that goes on, to be cleaned by
// whoever ends the program.
type current struct {
	sync.Mutex
	stage *lab.Stage
}

func (c *current) set(s *lab.Stage) {
	c.Lock()
	defer c.Unlock()
	c.stage = s
}

// end ends the measurement that goes on, and keeps others from beginning. A command
// that was under way may have made a namespace behind our back.
func (c *current) end() {
	c.Lock() // for good
	if c.stage != nil {
		c.stage.End()
	}
	time.Sleep(underWay)
	for _, name := range lab.Leftovers(os.Getpid()) {
		_ = exec.Command("ip", "netns", "del", name).Run() // nothing is left to be told
	}
}

// underWay is how long a command of ip(8) may take that was started before the end.
const underWay = 200 * time.Millisecond

// run measures what was chosen, and reports.
func run() (status int) {
	dir := flag.String("out", "", "directory for the table, the values and the charts; docs/performance when all is measured, else bin/performance")
	list := flag.Bool("list", false, "name the rows and measure nothing")
	values := flag.String("again", "", "write table and charts of an earlier run again, from its results.json, and measure nothing")
	flag.Parse()
	if *values != "" {
		if err := again(*values); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
			return 1
		}
		return 0
	}
	quick, rows := os.Getenv("QUICK") != "", os.Getenv("ROWS")
	chosen, err := choose(quick, rows)
	if err == nil && !*list {
		err = ready()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	}
	if *list {
		for _, r := range rowsOf(chosen) {
			fmt.Println(r.Name)
		}
		return 0
	}
	remove, err := lab.Install()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	}
	now := &current{}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-interrupted
		now.end()
		remove()
		os.Exit(130)
	}()
	defer remove()
	report := newReport()
	report.Quick, report.Selected = quick, rows
	measureAll(chosen, report, now)
	return finish(report, output(*dir, quick, rows))
}

// measureAll runs the experiments.
func measureAll(chosen []*experiment, report *report, now *current) {
	began := time.Now()
	for _, e := range chosen {
		e.run(func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
		}, now.set)
	}
	report.Rows, report.LoadLast, report.Seconds = rowsOf(chosen), load(), int(time.Since(began).Seconds())
}

// finish prints the table, writes the files, and says whether all went well.
func finish(report *report, dir string) (status int) {
	fmt.Printf("\n%s\n\n", report.head())
	err := writeTable(os.Stdout, report.Rows)
	if err == nil {
		err = report.write(dir)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		status = 1
	}
	if left := lab.Leftovers(os.Getpid()); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "bench: namespaces left behind: %v\n", left)
		status = 1
	}
	for _, r := range report.Rows {
		if r.Failed != "" {
			fmt.Fprintf(os.Stderr, "bench: %s failed: %s\n", r.Name, r.Failed)
			status = 1
		}
	}
	return status
}

// ready says what is missing.
func ready() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root, for network namespaces")
	}
	for _, tool := range []string{"ip", keepalivedBinary()} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (make setup installs it)", err)
		}
	}
	return nil
}

// choose are the experiments with rows that match.
func choose(quick bool, rows string) (chosen []*experiment, err error) {
	names, err := regexp.Compile(rows)
	if err != nil {
		return nil, fmt.Errorf("ROWS: %w", err)
	}
	for _, e := range experiments(quick) {
		if e.choose(names) {
			chosen = append(chosen, e)
		}
	}
	if chosen == nil {
		return nil, fmt.Errorf("ROWS: no row matches %q", rows)
	}
	return chosen, nil
}

// rowsOf are the rows of all experiments.
func rowsOf(all []*experiment) (rows []*row) {
	for _, e := range all {
		rows = append(rows, e.rows...)
	}
	return rows
}

// output is where files are written: those of the sources are for complete runs.
func output(dir string, quick bool, rows string) string {
	switch {
	case dir != "":
		return dir
	case quick || rows != "":
		return filepath.Join(lab.Root(), "bin", "performance")
	}
	return filepath.Join(lab.Root(), "docs", "performance")
}
