package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/rvrrpd/rvrrpd/conf"
)

// Implementation constants.
const (
	// maxDepth bounds the nesting of tables and arrays, for decoders are
	// recursive. The deepest key of ours is three levels down.
	maxDepth = 16
)

// Load reads and validates the configuration file at path, as this process. The file must
// be a regular file of at most 1 MiB that belongs to root or to the effective user
// and that nobody else can write; symbolic links are followed. Keys that are
// kept in other files are read, and nobody else may be able to read what holds
// a secret. The error is an
// [Errors], except where the file cannot be opened or read.
func Load(path string, format conf.Format) (*conf.Config, error) {
	return LoadFrom(System{}, path, format)
}

// LoadFrom is [Load] where files come from somewhere else than this process's system.
func LoadFrom(files Files, path string, format conf.Format) (*conf.Config, error) {
	data, of, err := files.Read(path, conf.MaxFile+1)
	defer clear(data) // there may be secrets in it
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	euid, _ := files.Identity()
	if problem := untrusted(of, euid); problem != "" {
		return nil, Errors{{File: path, Problem: problem}}
	}
	c, err := Parse(path, data, format)
	if err != nil {
		return nil, err
	}
	if err := resolve(c, files, path, of); err != nil {
		c.Wipe()
		return nil, err
	}
	return c, nil
}

// Parse validates a configuration of the given format; name stands in errors
// for the file. Secrets that are kept elsewhere are left empty. The error is an [Errors]
// with all that is wrong.
func Parse(name string, data []byte, format conf.Format) (*conf.Config, error) {
	fail := func(line int, key, problem string) (*conf.Config, error) {
		return nil, Errors{{File: name, Line: line, Key: key, Problem: problem}}
	}
	if len(data) > conf.MaxFile {
		return fail(0, "", fmt.Sprintf("is too long; accepted: at most %d bytes", conf.MaxFile))
	}
	if line := invalidUTF8(data); line > 0 {
		return fail(line, "", "is not valid UTF-8; accepted: UTF-8 text")
	}
	var root *node
	var errs Errors
	var tolerated []string
	switch format {
	case conf.TOML:
		root, errs = parseTOML(name, data)
	case conf.JSON:
		root, tolerated, errs = parseJSON(name, data)
	default:
		return fail(0, "", fmt.Sprintf("format %q is unknown; accepted: %q, %q", string(format), string(conf.TOML), string(conf.JSON)))
	}
	if line := keepalivedLine(data); root == nil && line > 0 {
		return fail(line, "", "is a file of keepalived's; accepted: TOML or JSON with the keys of rvrrpd.conf(5), for which docs/keepalived.md has keepalived's words")
	}
	if root == nil {
		return nil, errs
	}
	r := &reader{file: name, errs: errs}
	config := r.config(root)
	r.wipe()
	config.Warnings = append(tolerated, r.warnings...)
	if len(r.errs) > 0 {
		r.errs.locate(root)
		config.Wipe()
		root.wipe() // a secret may stand under any key
		return nil, r.errs.sorted()
	}
	return config, nil
}

// invalidUTF8 returns the line of the first byte that is not UTF-8, 0 when
// all are.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return lineAt(data, i)
		}
		i += size
	}
	return 0
}

// lineAt returns the line, from 1, of the byte at offset.
func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte{'\n'})
}
