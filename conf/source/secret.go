package source

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
)

// Bounds of what is read of a file with a secret.
const (
	// maxKeyFile is for hexadecimal digits, a prefix and white space.
	maxKeyFile = 4096
	// maxSharedFile is for an auth_secret and a line end.
	maxSharedFile = conf.MaxSecret + 2
)

// Permission bits of who can read a file beside its owner.
const (
	readableByGroup  = 0o040
	readableByOthers = 0o004
)

// trustedGroup is who may read a file with secrets beside its owner.
type trustedGroup struct {
	id    int
	known bool
}

// trusted is the group that may read files with secrets: that of the process
// itself, unless it is root; otherwise that of the user of the network process,
// which gets the secrets anyway. The group of nobody is everybody's.
func trusted(c *conf.Config, files Files) trustedGroup {
	if uid, gid := files.Identity(); uid != 0 {
		return trustedGroup{gid, true}
	}
	name := c.User
	if name == "" {
		name = "rvrrpd"
	}
	if name == "nobody" {
		return trustedGroup{}
	}
	id, known := files.Group(name)
	return trustedGroup{id, known && id != 0}
}

// keeps tells whether a file with these attributes keeps a secret.
func (g trustedGroup) keeps(of file.Attributes) bool {
	if of.Mode.Perm()&readableByGroup != 0 && (!g.known || of.GID != g.id) {
		return false
	}
	return of.Mode.Perm()&readableByOthers == 0
}

// guard sees to it that nobody reads secrets who should not.
type guard struct {
	files    Files
	group    trustedGroup
	insecure bool
	errs     Errors
	warnings []string
}

// look complains of a file that holds secrets and can be read by others.
func (g *guard) look(where, problem string, of file.Attributes) {
	if g.group.keeps(of) {
		return
	}
	problem = fmt.Sprintf("%scan be read by others (mode %04o)", problem, of.Mode.Perm())
	if g.insecure {
		g.warnings = append(g.warnings, where+": "+problem)
		return
	}
	g.errs = append(g.errs, Error{File: where, Problem: problem + "; accepted: a mode without read permission for group and others, such as 0600, 0640 with the group of the user that runs the network process, or insecure_secrets = true"})
}

// resolve reads the secrets that are kept elsewhere, and sees to it that nobody
// else can read what holds one. The attributes are those of the file of the
// configuration.
func resolve(c *conf.Config, files Files, file string, of file.Attributes) error {
	g := &guard{files: files, group: trusted(c, files), insecure: c.InsecureSecrets}
	if holdsSecrets(c) {
		g.look(file, "holds secrets and ", of)
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
func (g *guard) read(file, key, source string, auth conf.AuthType, parse func([]byte, conf.AuthType) (secret []byte, warning string, err error)) []byte {
	fail := func(err error) []byte {
		g.errs = append(g.errs, Error{File: file, Key: key, Problem: err.Error(), Cause: err})
		return nil
	}
	text, of, err := g.readSecret(source)
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
	g.look(source, "", of)
	return secret
}

// keyText reads a key of HMAC from the text of its file.
func keyText(text []byte, _ conf.AuthType) (key []byte, warning string, err error) {
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
func sharedText(text []byte, auth conf.AuthType) (secret []byte, warning string, err error) {
	const accepted = "1 to 4096 bytes"
	switch {
	case len(text) == 0 || len(text) > conf.MaxSecret:
		return nil, "", fmt.Errorf("holds a secret of %d bytes; accepted: %s", len(text), accepted)
	case bytes.HasPrefix(text, []byte(conf.FromFile)) || bytes.HasPrefix(text, []byte(conf.FromCredential)):
		return nil, "", fmt.Errorf("holds the place of a secret, and none; accepted: %s", accepted)
	case string(text) == redacted:
		return nil, "", fmt.Errorf("holds what is printed in the place of a secret, and none; accepted: %s", accepted)
	case auth == conf.AuthSimple && len(text) > maxPassword:
		warning = longPassword
	}
	return bytes.Clone(text), warning, nil
}

// holdsSecrets tells whether the configuration file itself has a secret.
func holdsSecrets(c *conf.Config) bool {
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
func (g *guard) readSecret(source string) ([]byte, file.Attributes, error) {
	path, ok := strings.CutPrefix(source, conf.FromFile)
	if !ok {
		dir := g.files.Credentials()
		if dir == "" {
			return nil, file.Attributes{}, fmt.Errorf("%s: there are no credentials: %s is not set; accepted: LoadCredential= in the unit of systemd", source, conf.CredentialsVariable)
		}
		path = filepath.Join(dir, strings.TrimPrefix(source, conf.FromCredential))
	}
	data, of, err := g.files.Read(path, max(maxKeyFile, maxSharedFile)+1)
	if err != nil {
		clear(data)
		return nil, of, fmt.Errorf("%s: %w", source, err)
	}
	euid, _ := g.files.Identity()
	if problem := untrusted(of, euid); problem != "" {
		clear(data)
		return nil, of, fmt.Errorf("%s: %s", source, problem)
	}
	return data, of, nil
}
