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
	if got, err := readSysctl(family, iface, name); err != nil || got != value {
		return fmt.Errorf("%s: is %q after %q was written: %v", path, got, value, err)
	}
	return nil
}

// silenceIPv6 keeps IPv6 off a device that carries IPv4 addresses only; where
// the kernel has no IPv6 there is nothing to do.
func silenceIPv6(iface string) error {
	path, err := sysctlPath("ipv6", iface, "disable_ipv6")
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	return os.WriteFile(path, []byte("1"), 0)
}
