package conf

import "strings"

// Bounds of secrets, in bytes.
const (
	// MaxSecret is the longest auth_secret.
	MaxSecret = 4096
	// MinKey and MaxKey bound a key of HMAC (RFC 2104 §3).
	MinKey, MaxKey = 32, 64
)

// Prefixes of the place of a secret: a path, and the name of a credential of systemd.
const (
	FromFile       = "file:"
	FromCredential = "credential:"
)

// CredentialsVariable names systemd's directory of credentials in the environment.
const CredentialsVariable = "CREDENTIALS_DIRECTORY"

// SecretFiles lists the files in which secrets of a virtual router are kept.
func (r *Router) SecretFiles() (files []string) {
	sources := []string{r.SecretSource}
	if r.HMAC != nil {
		for _, k := range r.HMAC.Keys {
			sources = append(sources, k.Source)
		}
	}
	for _, s := range sources {
		if path, is := strings.CutPrefix(s, FromFile); is {
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

// Secrets lists where every secret in the configuration is, in the order of the routers;
// one that there is none of is empty.
func (c *Config) Secrets() (all []*[]byte) {
	for i := range c.Routers {
		all = append(all, c.Routers[i].Secrets()...)
	}
	return all
}

// Secrets lists where every secret of a virtual router is.
func (r *Router) Secrets() []*[]byte {
	all := []*[]byte{&r.Secret}
	if r.HMAC != nil {
		for k := range r.HMAC.Keys {
			all = append(all, &r.HMAC.Keys[k].Value)
		}
	}
	return all
}
