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

// FormatOf is the format that the name of a file says, or else another.
func FormatOf(file string, otherwise Format) Format {
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".json", ".toml":
		return Format(ext[1:])
	default:
		return otherwise
	}
}
