package wire_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// packets reads the IPv4 and IPv6 packets out of a little-endian capture of
// Ethernet frames, from the IP header on, padding included.
func packets(t testing.TB, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if len(b) < 24 || le.Uint32(b) != 0xa1b2c3d4 || le.Uint32(b[20:]) != 1 {
		t.Fatalf("%s: not a capture of Ethernet frames", file)
	}
	var out [][]byte
	for b = b[24:]; len(b) >= 16; {
		n := int(le.Uint32(b[8:]))
		frame := b[16 : 16+n]
		b = b[16+n:]
		if t := binary.BigEndian.Uint16(frame[12:]); t == 0x0800 || t == 0x86dd {
			out = append(out, frame[14:])
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no packets", file)
	}
	return out
}
