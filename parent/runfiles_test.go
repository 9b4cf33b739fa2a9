package parent

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// planted is an address whose last attribute lacks its padding, as no kernel and
// nobody of ours writes it.
const planted = addressLine + "021800800300000008000200" + "0a090001" + "0500030041\n"

// TestRunDirectory: a directory of locks in which somebody else can put files is
// refused, and so is a lock's file that somebody else has written. Not in parallel:
// the directory is one.
func TestRunDirectory(t *testing.T) {
	old := runDir
	defer func() { runDir = old }()
	const stranger = 61234
	owner := "root"
	if os.Geteuid() != 0 {
		owner = strconv.Itoa(os.Geteuid())
	}
	for _, tt := range []struct {
		name, want string
		plant      func(dir, lock string) error
	}{
		{"as it is made", "", func(string, string) error { return nil }},
		{"readable by all", "", func(dir, _ string) error { return os.Chmod(dir, 0o755) }},
		{"its group can write it", "chown " + owner + ": DIR; chmod 0700 DIR", func(dir, _ string) error { return os.Chmod(dir, 0o770) }},
		{"all can write it", "chown " + owner + ": DIR; chmod 0700 DIR", func(dir, _ string) error { return os.Chmod(dir, 0o777) }},
		{"all can write it, each his own", "chown " + owner + ": DIR; chmod 0700 DIR", func(dir, _ string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }},
		{"below one that all can write, each his own", "", func(dir, _ string) error { return os.Chmod(filepath.Dir(dir), 0o777|os.ModeSticky) }},
		{"below one that all can write", "chown " + owner + ": DIR; chmod 0700 DIR", func(dir, _ string) error { return os.Chmod(filepath.Dir(dir), 0o777) }},
		{"a stranger's", "chown " + owner + ": DIR; chmod 0700 DIR", func(dir, _ string) error { return os.Chown(dir, stranger, stranger) }},
		{"a file", "not a directory", func(dir, _ string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) }},
		{"a lock of ours", "", func(_, lock string) error { return os.WriteFile(lock, []byte(planted), 0o600) }},
		{"a lock that all can write", "must be a file that only root can write", func(_, lock string) error {
			return errors.Join(os.WriteFile(lock, []byte(planted), 0o600), os.Chmod(lock, 0o666))
		}},
		{"a lock of a stranger's", "must be a file that only root can write", func(_, lock string) error {
			return errors.Join(os.WriteFile(lock, []byte(planted), 0o600), os.Chown(lock, stranger, stranger))
		}},
		{"a lock without end", "holds more than", func(_, lock string) error {
			return errors.Join(os.WriteFile(lock, nil, 0o600), os.Truncate(lock, recordMax+1))
		}},
		{"a pipe", "must be a file that only root can write", func(_, lock string) error { return unix.Mkfifo(lock, 0o600) }},
		{"a symbolic link", "too many levels of symbolic links", func(_, lock string) error { return os.Symlink("/etc/passwd", lock) }},
	} {
		if strings.Contains(tt.name, "stranger") && os.Geteuid() != 0 {
			continue
		}
		runDir = filepath.Join(t.TempDir(), "run")
		if err := errors.Join(os.Mkdir(runDir, 0o700), tt.plant(runDir, new(daemon).lockFile("eth0"))); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		f, err := new(daemon).lockInterface("eth0")
		tt.want = strings.ReplaceAll(tt.want, "DIR", runDir)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err == nil {
			w, err := recorded(f)
			if want := map[bool]int{true: 1}[tt.name == "a lock of ours"]; err != nil || len(w.displaced.addrs) != want {
				t.Errorf("%s: it says %+v, %v", tt.name, w, err)
			}
			f.Close()
		}
	}
}

// FuzzRecord: whatever stands in a lock's file, what is made of it are addresses of
// one interface, settings of ours with values that they can have, and a hardware
// address.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{"", planted, "mac 02:00:00:00:00:01\n", "mac 02:00:00:00:00:01:02:03\n", "setting 3 accept_local 0\nsetting 3 rp_filter 1\nsetting -1 accept_local 9\n",
		"address 0218008003000000080001000a090001080002000a090001\naddress 0218008004000000080001000a090002080002000a090002\n", "address 02ff008003000000080002000a090001\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w := parseRecord(bytes.NewReader(text))
		if w.mac != nil && len(w.mac) != 6 || len(w.displaced.addrs) != len(w.displaced.prefixes) || w.displaced.primary.IsValid() != (len(w.displaced.addrs) > 0) {
			t.Fatalf("%+v", w)
		}
		of := 0
		for i, m := range w.displaced.addrs {
			a, err := facts.ParseAddress(m)
			if of == 0 {
				of = a.Index
			}
			if err != nil || a.Prefix != w.displaced.prefixes[i] || !a.Prefix.IsValid() || !a.Prefix.Addr().Is4() || a.Index != of {
				t.Errorf("%x: %+v, %v", m, a, err)
			}
		}
		for _, settings := range w.settings {
			for _, s := range settings {
				if s.name != "accept_local" || len(s.old) != 1 || s.iface != "" {
					t.Errorf("setting %+v", s)
				}
			}
		}
	})
}

// FuzzAddress: a message about an address is read within its bounds.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"0218800003000000", "0218008003000000080001000a090001", "0218008003000000ffff0100", "0218008003000000080002000a0900010500030041", "0218008003000000040001000400020004000b00", "0218008003000000080002000a09000105000b0070000000", "0a408000030000001400060000000000ffffffff0000000000000000"} {
		b, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		a, err := facts.ParseAddress(m)
		if err == nil && (len(m) < unix.SizeofIfAddrmsg || a.Prefix.IsValid() && !a.Prefix.Addr().IsValid()) {
			t.Errorf("%x: %+v", m, a)
		}
	})
}

// FuzzInherit: whatever a daemon before has left, taking it over neither panics
// nor remembers more senders than there is room for.
func FuzzInherit(f *testing.F) {
	f.Add([]byte(`{"group":1,"slots":[{"name":"eth0/8/ipv4","index":4,"held":true,"expires":9,"marks":{"-@4a5d1c37":7,"192.0.2.1":8}}]}`))
	f.Add([]byte(`{"slots":[{"name":"eth0/10/ipv4","held":true,"placed":[{"Prefix":""},{"Prefix":"10.0.0.1/8"}],"marks":{"":1,"fe80::1%x":2}}]}`))
	var many strings.Builder
	for i := range 3 * marksMax {
		fmt.Fprintf(&many, `%s"10.0.0.%d":%d`, map[bool]string{true: ","}[i > 0], i, i)
	}
	f.Add([]byte(`{"slots":[{"name":"eth0/10/ipv4","marks":{` + many.String() + `}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h handover
		if json.NewDecoder(bytes.NewReader(text)).Decode(&h) != nil {
			return
		}
		d, k := fuzzed(), kernel.Over(-1)
		for i := range h.Slots {
			one := &h.Slots[i]
			s := d.named(one.Name)
			if s == nil {
				continue
			}
			if s.marks != nil {
				s.marks.raise(one.Marks)
			}
			if len(s.marks) > marksMax+1 {
				t.Errorf("%s: %d marks", s.name, len(s.marks))
			}
			s.confirms(one, facts.Link{Index: one.Index, Name: one.Device, Kind: "macvlan", MAC: s.mac[:]}, facts.Link{Index: 1, Name: "eth0"}, 1)
			d.resume(s, one, facts.Link{})
			for _, a := range s.placed {
				_ = k.Release(s.index, false, []vaddr{a})
			}
			d.inheritedOn(s.index, d.links[0].prefixes[0])
		}
	})
}
