package conf

import (
	"path/filepath"
	"strings"
)

// Format is the language of a configuration file.
type Format string

// Formats.
const (
	TOML Format = "toml"
	JSON Format = "json"
)

// MaxFile is the longest configuration file, in bytes. A virtual router takes about 200.
const MaxFile = 1 << 20

// FormatOf is the format that the name of a file says, or else another.
func FormatOf(file string, otherwise Format) Format {
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".json", ".toml":
		return Format(ext[1:])
	default:
		return otherwise
	}
}
