package conf

// Format is the language of a configuration file.
type Format string

// Formats.
const (
	TOML Format = "toml"
	JSON Format = "json"
)

// MaxFile is the longest configuration file, in bytes. A virtual router takes about 200.
const MaxFile = 1 << 20
