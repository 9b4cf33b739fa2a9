package reader

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
)

// maxLinks is how many symbolic links the kernel follows in one path.
const maxLinks = 40

// Directories lists the directories that a configuration that was read from a file may
// be read from again: those of the file, of its keys and of credentials; and
// where a symbolic link is on the way, those in which a link may lead to
// another directory later.
func Directories(c *conf.Config, file string) (dirs []string) {
	files := []string{file}
	for _, r := range c.Routers {
		files = append(files, r.SecretFiles()...)
	}
	for _, f := range files {
		if f == "" {
			continue
		}
		dirs = append(dirs, filepath.Dir(f))
		if real, err := filepath.EvalSymlinks(f); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		dirs = append(dirs, neighborhoods(f)...)
	}
	if dir := os.Getenv(conf.CredentialsVariable); filepath.IsAbs(dir) {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// neighborhoods lists, for each symbolic link on the way to a file, the
// directory that holds the one it leads to: releases, of current -> releases/2.
// One that is not at or below the directory of the link is left out, and so
// are those directly below the root: /etc, or /home, hold more than this.
func neighborhoods(file string) (dirs []string) {
	here, rest := "/", strings.Split(filepath.Clean(file), "/")
	for links := 0; len(rest) > 0 && links <= maxLinks; {
		path := filepath.Join(here, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(path)
		if err != nil { // no link
			here = path
			continue
		}
		links++
		if !filepath.IsAbs(target) {
			target = filepath.Join(here, target)
		}
		base := filepath.Dir(target)
		if len(rest) == 0 { // it leads to the file itself
			base = filepath.Dir(base)
		}
		below, err := filepath.Rel(here, base)
		if err == nil && below != ".." && !strings.HasPrefix(below, "../") && strings.Count(base, "/") > 1 {
			dirs = append(dirs, base)
		}
		here, rest = "/", append(strings.Split(target, "/"), rest...)
	}
	return dirs
}
