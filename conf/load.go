package conf

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Implementation constants.
const (
	// maxFile bounds what a process with privileges reads and decodes. A
	// virtual router takes about 200 bytes.
	maxFile = 1 << 20
	// maxDepth bounds the nesting of tables and arrays, for decoders are
	// recursive. The deepest key of ours is three levels down.
	maxDepth = 16
	// writableByOthers are the permission bits a configuration must not have.
	writableByOthers = 0o022
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

// Load reads and validates the configuration file at path. The file must be a
// regular file of at most 1 MiB that belongs to root or to the effective user
// and that nobody else can write; symbolic links are followed. Keys that are
// kept in other files are read, and nobody else may be able to read what holds
// a secret. The error is an
// [Errors], except where the file cannot be opened or read.
func Load(path string, format Format) (*Config, error) {
	// Without O_NONBLOCK the opening of a FIFO would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if problem := unsafeFile(info, os.Geteuid()); problem != "" {
		return nil, Errors{{File: path, Problem: problem}}
	}
	// The file may have grown since.
	data, err := readFile(f, maxFile+1)
	defer clear(data) // there may be secrets in it
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(path, data, format)
	if err != nil {
		return nil, err
	}
	if err := c.resolve(path, info); err != nil {
		c.Wipe()
		return nil, err
	}
	return c, nil
}

// readFile reads up to limit bytes into one piece of memory, so that there is
// one to wipe.
func readFile(f io.Reader, limit int) ([]byte, error) {
	data := make([]byte, limit)
	n, err := io.ReadFull(f, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return data[:n], err
}

// unsafeFile says why a file with such attributes is not to be trusted by a
// process of user euid, "" when it is.
func unsafeFile(info os.FileInfo, euid int) string {
	mode := info.Mode()
	if !mode.IsRegular() {
		return fmt.Sprintf("is not a regular file (mode %v); accepted: a regular file", mode)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "has no known owner; accepted: a file of root"
	}
	if owner := int(stat.Uid); owner != 0 && owner != euid {
		return fmt.Sprintf("belongs to user %d (mode %04o); accepted: a file of root or of user %d", owner, mode.Perm(), euid)
	}
	if mode.Perm()&writableByOthers != 0 {
		return fmt.Sprintf("can be written by others (mode %04o); accepted: a mode without group and other write permission, such as 0640", mode.Perm())
	}
	if info.Size() > maxFile {
		return tooLong(mode)
	}
	return ""
}

func tooLong(mode os.FileMode) string {
	return fmt.Sprintf("is too long (mode %04o); accepted: at most %d bytes", mode.Perm(), maxFile)
}

// Parse validates a configuration of the given format; name stands in errors
// for the file. The error is an [Errors] with all that is wrong.
func Parse(name string, data []byte, format Format) (*Config, error) {
	fail := func(line int, key, problem string) (*Config, error) {
		return nil, Errors{{File: name, Line: line, Key: key, Problem: problem}}
	}
	if len(data) > maxFile {
		return fail(0, "", fmt.Sprintf("is too long; accepted: at most %d bytes", maxFile))
	}
	if line := invalidUTF8(data); line > 0 {
		return fail(line, "", "is not valid UTF-8; accepted: UTF-8 text")
	}
	var root *node
	var errs Errors
	var tolerated []string
	switch format {
	case TOML:
		root, errs = parseTOML(name, data)
	case JSON:
		root, tolerated, errs = parseJSON(name, data)
	default:
		return fail(0, "", fmt.Sprintf("format %q is unknown; accepted: %q, %q", string(format), string(TOML), string(JSON)))
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
