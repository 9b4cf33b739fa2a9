package vault

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// TestLock: secrets are moved, and wiped where they were.
func TestLock(t *testing.T) {
	t.Parallel()
	key, password, none := bytes.Repeat([]byte("one."), 8), []byte("hunter2"), []byte(nil)
	was := [][]byte{key, password}
	v, err := Lock([]*[]byte{&key, &none, &password})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range was {
		if len(bytes.Trim(b, "\x00")) != 0 {
			t.Errorf("secret %d is still where it was: %q", i, b)
		}
	}
	if string(key) != strings.Repeat("one.", 8) || string(password) != "hunter2" || len(none) != 0 || !v.Holds() {
		t.Errorf("%q, %q, %q", key, password, none)
	}
	if !bytes.Contains(v.memory, []byte("hunter2")) {
		t.Error("the secret is not in the vault")
	}
	v.Free()
	v.Free()
	if empty, err := Lock([]*[]byte{&none}); err != nil || empty.Holds() {
		t.Errorf("nothing to lock away: %v, %v", empty, err)
	}
	if (*Vault)(nil).Holds() {
		t.Error("no vault holds something")
	}
	(*Vault)(nil).Free()
}

// TestVaultIsLocked: it is not swapped, in no core dump, and in no child.
func TestVaultIsLocked(t *testing.T) {
	t.Parallel()
	secret := []byte("hunter2")
	v, err := Lock([]*[]byte{&secret})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Free()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(v.memory)))
	inside := false
	for line := range strings.Lines(string(smaps)) {
		f := strings.Fields(line)
		var low, high uintptr
		if n, _ := fmt.Sscanf(f[0], "%x-%x", &low, &high); n == 2 {
			inside = low <= begin && begin < high
		}
		if inside && f[0] == "VmFlags:" {
			for _, flag := range []string{"lo", "dd", "wf"} {
				if !slices.Contains(f, flag) {
					t.Errorf("%s lacks %s", line, flag)
				}
			}
			return
		}
	}
	t.Error("the vault is nowhere")
}
