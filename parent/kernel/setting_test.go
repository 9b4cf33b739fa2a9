package kernel

import "testing"

func TestSysctlPath(t *testing.T) {
	t.Parallel()
	if got, err := sysctlPath("ipv4", "eth0.100", "rp_filter"); err != nil || got != "/proc/sys/net/ipv4/conf/eth0.100/rp_filter" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"", ".", "..", "../all", "a/b"} {
		if got, err := sysctlPath("ipv4", bad, "rp_filter"); err == nil {
			t.Errorf("interface %q leads to %s", bad, got)
		}
	}
}
