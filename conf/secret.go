package conf

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Bounds of what is read of a file with a secret.
const (
	// maxKeyFile is for hexadecimal digits, a prefix and white space.
	maxKeyFile = 4096
	// maxSharedFile is for an auth_secret and a line end.
	maxSharedFile = maxShared + 2
)

// Permission bits of who can read a file beside its owner.
const (
	readableByGroup  = 0o040
	readableByOthers = 0o004
)

// credentialsVariable names systemd's directory of credentials.
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// trustedGroup is who may read a file with secrets beside its owner.
type trustedGroup struct {
	id    int
	known bool
}

// groups remembers what trusted has found: a daemon that reloads reaches
// /etc/passwd no more.
var groups sync.Map

// trusted is the group that may read files with secrets: that of the process
// itself, unless it is root; otherwise that of the user of the network process,
// which gets the secrets anyway. The group of nobody is everybody's.
func (c *Config) trusted() trustedGroup {
	if os.Geteuid() != 0 {
		return trustedGroup{os.Getegid(), true}
	}
	name := c.User
	if name == "" {
		name = "rvrrpd"
	}
	if found, is := groups.Load(name); is {
		return found.(trustedGroup)
	}
	var g trustedGroup
	if u, err := user.Lookup(name); err == nil && name != "nobody" {
		id, err := strconv.Atoi(u.Gid)
		g = trustedGroup{id, err == nil && id != 0}
	}
	groups.Store(name, g)
	return g
}

// keeps tells whether a file with these attributes keeps a secret.
func (g trustedGroup) keeps(mode os.FileMode, gid int) bool {
	if mode.Perm()&readableByGroup != 0 && (!g.known || gid != g.id) {
		return false
	}
	return mode.Perm()&readableByOthers == 0
}

// guard sees to it that nobody reads secrets who should not.
type guard struct {
	group    trustedGroup
	insecure bool
	errs     Errors
	warnings []string
}

// look complains of a file that holds secrets and can be read by others.
func (g *guard) look(where, problem string, info os.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && g.group.keeps(info.Mode(), int(stat.Gid)) {
		return
	}
	problem = fmt.Sprintf("%scan be read by others (mode %04o)", problem, info.Mode().Perm())
	if g.insecure {
		g.warnings = append(g.warnings, where+": "+problem)
		return
	}
	g.errs = append(g.errs, Error{File: where, Problem: problem + "; accepted: a mode without read permission for group and others, such as 0600, 0640 with the group of the user that runs the network process, or insecure_secrets = true"})
}

// resolve reads the secrets that are kept elsewhere, and sees to it that nobody
// else can read what holds one. Info is that of the file of the configuration.
func (c *Config) resolve(file string, info os.FileInfo) error {
	g := &guard{group: c.trusted(), insecure: c.InsecureSecrets}
	if c.holdsSecrets() {
		g.look(file, "holds secrets and ", info)
	}
	for i := range c.Routers {
		r := &c.Routers[i]
		label := fmt.Sprintf("vrouter[%d].", i+1)
		if r.SecretSource != "" {
			r.Secret = g.read(file, label+"auth_secret", r.SecretSource, r.Auth, sharedText)
		}
		if r.HMAC == nil {
			continue
		}
		for j := range r.HMAC.Keys {
			if k := &r.HMAC.Keys[j]; k.Source != "" {
				k.Value = g.read(file, fmt.Sprintf("%shmac.key[%d].value", label, j+1), k.Source, r.Auth, keyText)
			}
		}
	}
	c.Warnings = append(c.Warnings, g.warnings...)
	if len(g.errs) > 0 {
		return g.errs
	}
	return nil
}

// read reads the secret of a key of the configuration from its place, nil
// after an error.
func (g *guard) read(file, key, source string, auth AuthType, parse func([]byte, AuthType) (secret []byte, warning string, err error)) []byte {
	fail := func(err error) []byte {
		g.errs = append(g.errs, Error{File: file, Key: key, Problem: err.Error(), Cause: err})
		return nil
	}
	text, info, err := readSecret(source)
	defer clear(text)
	if err != nil {
		return fail(err)
	}
	secret, warning, err := parse(bytes.TrimRight(text, "\r\n"), auth)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", source, err))
	}
	if warning != "" {
		g.warnings = append(g.warnings, file+": "+key+": "+source+": "+warning)
	}
	g.look(source, "", info)
	return secret
}

// keyText reads a key of HMAC from the text of its file.
func keyText(text []byte, _ AuthType) (key []byte, warning string, err error) {
	if looksHexadecimal(text) {
		warning = bareDigits
	}
	if len(text) > maxKeyFile {
		text = text[:maxKeyFile+1]
	}
	key, problem := keyBytes(text)
	if problem != "" {
		return nil, "", fmt.Errorf("holds %s; accepted: %s", problem, acceptedKeyText)
	}
	return key, warning, nil
}

// sharedText reads an auth_secret from the text of its file.
func sharedText(text []byte, auth AuthType) (secret []byte, warning string, err error) {
	const accepted = "1 to 4096 bytes"
	switch {
	case len(text) == 0 || len(text) > maxShared:
		return nil, "", fmt.Errorf("holds a secret of %d bytes; accepted: %s", len(text), accepted)
	case bytes.HasPrefix(text, []byte(fromFile)) || bytes.HasPrefix(text, []byte(fromCredential)):
		return nil, "", fmt.Errorf("holds the place of a secret, and none; accepted: %s", accepted)
	case string(text) == redacted:
		return nil, "", fmt.Errorf("holds what is printed in the place of a secret, and none; accepted: %s", accepted)
	case auth == AuthSimple && len(text) > maxPassword:
		warning = longPassword
	}
	return bytes.Clone(text), warning, nil
}

// holdsSecrets tells whether the configuration file itself has a secret.
func (c *Config) holdsSecrets() bool {
	for _, r := range c.Routers {
		if len(r.Secret) > 0 && r.SecretSource == "" {
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

// readSecret reads what is in file:PATH or credential:NAME. An error never
// tells what that is.
func readSecret(source string) ([]byte, os.FileInfo, error) {
	path, ok := strings.CutPrefix(source, fromFile)
	if !ok {
		dir := os.Getenv(credentialsVariable)
		if dir == "" {
			return nil, nil, fmt.Errorf("%s: there are no credentials: %s is not set; accepted: LoadCredential= in the unit of systemd", source, credentialsVariable)
		}
		path = filepath.Join(dir, strings.TrimPrefix(source, fromCredential))
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", source, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", source, err)
	}
	if problem := unsafeFile(info, os.Geteuid()); problem != "" {
		return nil, nil, fmt.Errorf("%s: %s", source, problem)
	}
	data, err := readFile(f, max(maxKeyFile, maxSharedFile)+1)
	if err != nil {
		clear(data)
		return nil, nil, fmt.Errorf("%s: %w", source, err)
	}
	return data, info, nil
}

// SecretFiles lists the files in which secrets of a virtual router are kept.
func (r *Router) SecretFiles() (files []string) {
	sources := []string{r.SecretSource}
	if r.HMAC != nil {
		for _, k := range r.HMAC.Keys {
			sources = append(sources, k.Source)
		}
	}
	for _, s := range sources {
		if path, is := strings.CutPrefix(s, fromFile); is {
			files = append(files, path)
		}
	}
	return files
}

// Wipe overwrites every secret in the configuration.
func (c *Config) Wipe() {
	for _, s := range c.Secrets() {
		clear(*s)
	}
}

// Secrets lists where every secret in the configuration is.
func (c *Config) Secrets() (all []*[]byte) {
	for i := range c.Routers {
		r := &c.Routers[i]
		all = append(all, &r.Secret)
		if r.HMAC != nil {
			for k := range r.HMAC.Keys {
				all = append(all, &r.HMAC.Keys[k].Value)
			}
		}
	}
	return all
}
