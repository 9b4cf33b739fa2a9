//go:build lab

package lab_test

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestSettingsBeforeDevices: the settings of the interface are restored before
// its last device is deleted, whose alias would tell the next daemon of them
// after a kill -9: at the end, and by a reload that needs no device any more.
func TestSettingsBeforeDevices(t *testing.T) {
	l := lab.New(t)
	const setting = "net/ipv4/conf/" + lab.Interface + "/arp_ignore"
	was := l.R1.Setting(setting)
	monitor := l.R1.Start("stdbuf", "-oL", "ip", "monitor", "link")
	if !lab.Until(5*time.Second, func() bool { // once it says something it listens
		exec.Command("ip", "-n", l.R1.Namespace, "link", "set", lab.Interface, "mtu", "1400").Run()
		exec.Command("ip", "-n", l.R1.Namespace, "link", "set", lab.Interface, "mtu", "1500").Run()
		return monitor.Len() > 0
	}) {
		t.Fatal("nothing monitored")
	}
	router := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	onInterface := router
	onInterface.OnInterface = true
	for name, next := range map[string]string{"no device": onInterface.Configuration(""), "end": ""} {
		a := startReloaded(t, l.R1, router.Configuration(""))
		a.AwaitLine(0, 5*time.Second, "backup->active")
		if got := l.R1.Setting(setting); got == was {
			t.Fatalf("%s is %s as before", setting, got)
		}
		mark := monitor.Len()
		if next == "" {
			a.Signal(syscall.SIGTERM)
		} else {
			a.write(next)
			a.Signal(syscall.SIGHUP)
		}
		monitor.AwaitLine(mark, 5*time.Second, "^Deleted.* "+lab.Device+"@")
		if got := l.R1.Setting(setting); got != was {
			t.Errorf("%s: %s is %s when the device is deleted, want %s", name, setting, got, was)
		}
		a.Terminate(5 * time.Second)
	}
}
