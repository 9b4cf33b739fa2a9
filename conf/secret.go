package conf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxKeyFile bounds what is read of a file with a key: hexadecimal digits, a
// prefix and white space.
const maxKeyFile = 4096

// readableByOthers are the permission bits a file with a secret must not have.
const readableByOthers = 0o044

// credentialsVariable names systemd's directory of credentials.
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// resolve reads the keys that are kept elsewhere, and sees to it that nobody
// else can read what holds a secret. The file of the configuration has mode.
func (c *Config) resolve(file string, mode os.FileMode) error {
	var errs Errors
	complain := func(where, problem string) {
		if c.InsecureSecrets {
			c.Warnings = append(c.Warnings, where+": "+problem)
			return
		}
		errs = append(errs, Error{File: where, Problem: problem + "; accepted: a mode without read permission for group and others, such as 0600, or insecure_secrets = true"})
	}
	if c.holdsSecrets() && mode.Perm()&readableByOthers != 0 {
		complain(file, fmt.Sprintf("holds secrets and can be read by others (mode %04o)", mode.Perm()))
	}
	for i := range c.Routers {
		if c.Routers[i].HMAC == nil {
			continue
		}
		keys := c.Routers[i].HMAC.Keys
		for j := range keys {
			if keys[j].Source == "" {
				continue
			}
			value, mode, err := readKey(keys[j].Source)
			if err != nil {
				errs = append(errs, Error{File: file, Key: fmt.Sprintf("vrouter[%d].hmac.key[%d].value", i+1, j+1), Problem: err.Error(), Cause: err})
				continue
			}
			if keys[j].Value = value; mode.Perm()&readableByOthers != 0 {
				complain(keys[j].Source, fmt.Sprintf("can be read by others (mode %04o)", mode.Perm()))
			}
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// holdsSecrets tells whether the configuration file itself has a secret.
func (c *Config) holdsSecrets() bool {
	for _, r := range c.Routers {
		if len(r.Secret) > 0 {
			return true
		}
		if r.HMAC == nil {
			continue
		}
		for _, k := range r.HMAC.Keys {
			if k.Source == "" {
				return true
			}
		}
	}
	return false
}

// readKey reads a key from file:PATH or credential:NAME. An error never tells
// what is in it.
func readKey(source string) ([]byte, os.FileMode, error) {
	path, ok := strings.CutPrefix(source, fromFile)
	if !ok {
		dir := os.Getenv(credentialsVariable)
		if dir == "" {
			return nil, 0, fmt.Errorf("%s: there are no credentials: %s is not set; accepted: LoadCredential= in the unit of systemd", source, credentialsVariable)
		}
		path = filepath.Join(dir, strings.TrimPrefix(source, fromCredential))
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", source, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", source, err)
	}
	if problem := unsafeFile(info, os.Geteuid()); problem != "" {
		return nil, 0, fmt.Errorf("%s: %s", source, problem)
	}
	data, err := readFile(f, maxKeyFile+1)
	defer clear(data)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", source, err)
	}
	key, problem := keyBytes(bytes.TrimRight(data, "\r\n"))
	if problem != "" {
		return nil, 0, fmt.Errorf("%s: holds %s; accepted: %s", source, problem, acceptedKeyText)
	}
	return key, info.Mode(), nil
}

// Wipe overwrites every secret in the configuration.
func (c *Config) Wipe() {
	for _, r := range c.Routers {
		clear(r.Secret)
		if r.HMAC != nil {
			for _, k := range r.HMAC.Keys {
				clear(k.Value)
			}
		}
	}
}
