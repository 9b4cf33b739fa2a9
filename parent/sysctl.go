package parent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sysctlPath is the file of a setting of an interface in a family, ipv4 or ipv6; the name may
// contain dots, but never leads elsewhere.
func sysctlPath(family, iface, name string) (string, error) {
	if iface == "" || iface == "." || iface == ".." || strings.ContainsRune(iface, '/') {
		return "", fmt.Errorf("sysctl: interface %q", iface)
	}
	return filepath.Join("/proc/sys/net", family, "conf", iface, name), nil
}

func readSysctl(family, iface, name string) (string, error) {
	path, err := sysctlPath(family, iface, name)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

// writeSysctl sets a value and reads it back.
func writeSysctl(family, iface, name, value string) error {
	path, err := sysctlPath(family, iface, name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return err
	}
	got, err := readSysctl(family, iface, name)
	if err == nil && got != value {
		err = fmt.Errorf("%s: is %q after %q was written", path, got, value)
	}
	return err
}
