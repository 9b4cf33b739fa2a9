package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rvrrpd/rvrrpd/lab"
)

// report is what a run has found, and where.
type report struct {
	Date      string             `json:"date"`
	Machine   string             `json:"machine"`
	Kernel    string             `json:"kernel"`
	Versions  map[subject]string `json:"versions"`
	Quick     bool               `json:"quick,omitempty"`
	Selected  string             `json:"selected,omitempty"`
	LoadFirst string             `json:"load_before"`
	LoadLast  string             `json:"load_after"`
	Seconds   int                `json:"seconds"`
	Rows      []*row             `json:"rows"`
}

// newReport describes the machine and the programs.
func newReport() *report {
	return &report{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Machine: machine(), Kernel: kernel(),
		Versions: map[subject]string{
			rvrrpd:     version(lab.Binary("rvrrpd")),
			keepalived: version(keepalivedBinary()),
		},
		LoadFirst: load(),
	}
}

// head is what stands above the table.
func (r *report) head() string {
	return fmt.Sprintf("%s, %s, Linux %s; %s; %s. Load before %s, after %s; %d s.",
		r.Date, r.Machine, r.Kernel, r.Versions[rvrrpd], r.Versions[keepalived], r.LoadFirst, r.LoadLast, r.Seconds)
}

// machine is the processors, and how much memory there is.
func machine() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	model := "processor of unknown model"
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(b); m != nil {
		model = string(m[1])
	}
	var info unix.Sysinfo_t
	_ = unix.Sysinfo(&info) // no memory is told then
	return fmt.Sprintf("%d x %s, %d MiB", runtime.NumCPU(), model, info.Totalram*uint64(info.Unit)>>20)
}

func kernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// version is the first line that a program says of itself.
func version(program string) string {
	out, err := exec.Command(program, "--version").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s: %v", filepath.Base(program), err)
	}
	return firstLine(strings.TrimSpace(string(out)))
}

// write writes the table, every single value, and the charts into a directory.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	values, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(values, '\n'), 0o644); err != nil {
		return err
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%s\n\n", r.head())
	if err := writeTable(&table, r.Rows); err != nil {
		return err
	}
	table.WriteString(missed(r.Rows))
	if err := os.WriteFile(filepath.Join(dir, "table.md"), []byte(table.String()), 0o644); err != nil {
		return err
	}
	for name, svg := range charts(r.Rows) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// again writes what an earlier run has found once more, from its values.
func again(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, known := range rowsOf(experiments(r.Quick)) {
		for _, row := range r.Rows {
			if row.Name == known.Name {
				row.limit, row.Wanted = known.limit, known.Wanted
			}
		}
	}
	return r.write(filepath.Dir(file))
}
