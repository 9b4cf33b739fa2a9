package rules

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestContainerProfile: the seccomp profile for containers refuses nothing that
// the processes call once they run, nor what the network process is started
// with, and is a profile of refusals alone.
func TestContainerProfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../packaging/container/seccomp.json")
	if err != nil {
		t.Fatal(err)
	}
	var profile struct {
		DefaultAction string
		Syscalls      []struct {
			Names  []string
			Action string
		}
	}
	if err := json.Unmarshal(text, &profile); err != nil {
		t.Fatal(err)
	}
	if profile.DefaultAction != "SCMP_ACT_ALLOW" || len(profile.Syscalls) != 1 || profile.Syscalls[0].Action != "SCMP_ACT_ERRNO" {
		t.Fatalf("%+v", profile)
	}
	refused := profile.Syscalls[0].Names
	for _, r := range append(slices.Clone(Parent), Spawner...) {
		if !r.Kill && slices.Contains(refused, r.Call) {
			t.Errorf("%s is refused, and needed: %s", r.Call, r.Reason)
		}
	}
	// What the start takes, before there is a filter.
	for _, call := range []string{"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "capset", "prctl", "close_range", "clone", "execve"} {
		if slices.Contains(refused, call) {
			t.Errorf("%s is refused, and needed at the start", call)
		}
	}
	if !slices.Contains(refused, "bpf") || !slices.Contains(refused, "init_module") {
		t.Errorf("nothing dangerous is refused: %v", refused)
	}
}
