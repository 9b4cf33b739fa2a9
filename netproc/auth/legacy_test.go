package auth_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/netproc/auth"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// message is rVRRPd's of VRID 7, priority 150, 10.77.0.254, up to the
// authentication data, with some checksum.
func message(kind byte) []byte {
	return []byte{0x21, 7, 150, 1, kind, 1, 0xab, 0xcd, 10, 77, 0, 254}
}

// TestSamples are what a running rVRRPd sent.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind         auth.Type
		secret, want string
	}{
		{auth.None, "secret12", "0000000000000000"},
		{auth.Simple, "", "0000000000000000"},
		{auth.Simple, "abc", "61 62 63 00 00 00 00 00"},
		{auth.Simple, "secret12", "73 65 63 72 65 74 31 32"},
		{auth.Simple, "muchlongerthan8", "6d 75 63 68 6c 6f 6e 67"},
		{auth.Simple, "\xff\x00äöü", "ff 00 c3 a4 c3 b6 c3 bc"},
		{auth.P0, "changeme", "cb f8 82 e9 a2 cc 31 83"},
		{auth.P0, "", "a2 e2 f2 43 90 ac e4 e5"},
		{auth.P0, strings.Repeat("k", 100), "29 9e d8 b5 89 4e 03 14"},
		{auth.P1, "changeme", "b3 8a 24 5e dd f3 df 22"},
		{auth.P1, strings.Repeat("k", 200), "30 65 9c 32 6e 35 8f b9"},
	} {
		l := auth.NewLegacy(tt.kind, []byte(tt.secret))
		m := message(byte(tt.kind))
		for range 2 { // the second time with memory that was used
			data := l.Data(m)
			if got := unhex(t, tt.want); string(got) != string(data[:]) {
				t.Errorf("type %d, secret %q: got %x, want %s", tt.kind, tt.secret, data, tt.want)
			}
		}
		data := l.Data(m)
		whole := append(m, data[:]...)
		if !l.Verify(whole) {
			t.Errorf("type %d, secret %q: does not verify", tt.kind, tt.secret)
		}
		if l.Type() != tt.kind {
			t.Errorf("type %d", l.Type())
		}
		for bit := range len(whole) * 8 {
			whole[bit/8] ^= 1 << (bit % 8)
			// The simple password covers nothing but itself.
			if covered := tt.kind >= auth.P0 && bit/8 != 6 && bit/8 != 7 || bit/8 >= len(whole)-auth.DataLen; l.Verify(whole) == covered {
				t.Errorf("type %d, secret %q, bit %d changed: verified: %v", tt.kind, tt.secret, bit, !covered)
			}
			whole[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestLegacyRefusesShort(t *testing.T) {
	t.Parallel()
	l := auth.NewLegacy(auth.P0, nil)
	for n := range 16 {
		if l.Verify(make([]byte, n)) {
			t.Errorf("%d bytes verify", n)
		}
	}
}

func TestLegacyDoesNotAllocate(t *testing.T) {
	for _, kind := range []auth.Type{auth.Simple, auth.P0, auth.P1} {
		l := auth.NewLegacy(kind, []byte("changeme"))
		data := l.Data(message(byte(kind)))
		m := append(message(byte(kind)), data[:]...)
		if n := testing.AllocsPerRun(100, func() { l.Verify(m) }); n != 0 {
			t.Errorf("type %d: %v allocations", kind, n)
		}
	}
}
