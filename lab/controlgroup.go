package lab

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// hierarchies are where the control groups that a systemd keeps its services in may be
// mounted: one for all controllers, the same beside those of version 1, and version 1's own.
var hierarchies = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}

// apart makes a command start in control groups of its own. Two systemds that are started
// in the same one make the groups of their services beside each other, and whichever ends
// first takes those of the other away.
func (l *Lab) apart(name string, argv []string) []string {
	script := ""
	for _, h := range hierarchies {
		group := filepath.Join(h, name+"-"+strconv.Itoa(os.Getpid()))
		if _, err := os.Stat(filepath.Join(h, "cgroup.procs")); err != nil || os.Mkdir(group, 0o755) != nil {
			continue
		}
		l.Cleanup(func() { removeGroups(group) })
		script += "echo $$ >" + group + "/cgroup.procs; "
	}
	if script == "" {
		return argv
	}
	return append([]string{"sh", "-c", script + `exec "$@"`, "sh"}, argv...)
}

// removeGroups removes a control group and those in it, from the bottom up.
func removeGroups(group string) {
	var all []string
	_ = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for _, path := range slices.Backward(all) {
		os.Remove(path) // what is left has a process in it that is about to end
	}
}
