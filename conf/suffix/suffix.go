// Package suffix tells the format of a configuration by the name of its file.
package suffix

import (
	"path/filepath"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
)

// Format is the format that the name of a file says, or else another.
func Format(file string, otherwise conf.Format) conf.Format {
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".json", ".toml":
		return conf.Format(ext[1:])
	default:
		return otherwise
	}
}
