package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pcap makes a file with one record.
func pcap(order binary.AppendByteOrder, magic uint32, fraction uint32, frame string) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = order.AppendUint32(b, 65535)
	b = order.AppendUint32(b, 113)
	for _, v := range []uint32{1700000000, fraction, uint32(len(frame)), 60} {
		b = order.AppendUint32(b, v)
	}
	return append(b, frame...)
}

// block makes a block of pcapng.
func block(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	n := uint32(len(body) + 12)
	b := order.AppendUint32(order.AppendUint32(nil, kind), n)
	return order.AppendUint32(append(b, body...), n)
}

func section(order binary.AppendByteOrder) []byte {
	b := order.AppendUint32(nil, magicSection)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0)
	return block(order, blockSection, append(b, bytes.Repeat([]byte{0xff}, 8)...))
}

func description(order binary.AppendByteOrder, linkType uint16, options ...[]byte) []byte {
	b := order.AppendUint32(order.AppendUint32(nil, uint32(0)), 0)
	order2 := order.AppendUint16(nil, linkType)
	copy(b, order2)
	return block(order, blockInterface, append(b, bytes.Join(options, nil)...))
}

func option(order binary.AppendByteOrder, kind uint16, value string) []byte {
	b := order.AppendUint16(order.AppendUint16(nil, kind), uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func enhanced(order binary.AppendByteOrder, index uint32, stamp uint64, frame string) []byte {
	var b []byte
	for _, v := range []uint32{index, uint32(stamp >> 32), uint32(stamp), uint32(len(frame)), 60} {
		b = order.AppendUint32(b, v)
	}
	return block(order, blockEnhanced, append(b, frame...))
}

func all(b []byte) (records []Record, err error) {
	r, err := NewReader(bytes.NewReader(b))
	for err == nil {
		var one Record
		if one, err = r.Next(); err == nil {
			one.Frame = bytes.Clone(one.Frame)
			records = append(records, one)
		}
	}
	return records, err
}

func TestPcap(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"little": pcap(binary.LittleEndian, magicMicro, 123456, "frame"),
		"big":    pcap(binary.BigEndian, magicMicro, 123456, "frame"),
		"nano":   pcap(binary.LittleEndian, magicNano, 123456000, "frame"),
	} {
		got, err := all(file)
		want := []Record{{Time: time.Unix(1700000000, 123456000).UTC(), LinkType: 113, Length: 60, Frame: []byte("frame")}}
		if diff := cmp.Diff(want, got); diff != "" || err != io.EOF {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestPcapng(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		offset := make([]byte, 8)
		order.(binary.ByteOrder).PutUint64(offset, 100)
		file := bytes.Join([][]byte{
			section(order), description(order, 1, option(order, optionName, "eth0")),
			block(order, 5, make([]byte, 12)), // statistics: skipped
			enhanced(order, 0, 1700000000_000001, "one"),
			description(order, 101, option(order, optionResolution, "\x09"), option(order, optionOffset, string(offset)), option(order, 0, "")),
			enhanced(order, 1, 1700000000_000000002, "two"),
			description(order, 1, option(order, optionResolution, "\x81")),
			enhanced(order, 2, 3, "half"),
			block(order, blockSimple, append([]byte{0, 0, 0, 0}, "simple!!"...)),
		}, nil)
		order.(binary.ByteOrder).PutUint32(file[len(file)-16:], 8) // its length
		got, err := all(file)
		want := []Record{
			{Time: time.Unix(1700000000, 1000).UTC(), LinkType: 1, Length: 60, Interface: "eth0", Frame: []byte("one")},
			{Time: time.Unix(1700000100, 2).UTC(), LinkType: 101, Length: 60, Frame: []byte("two")},
			{Time: time.Unix(1, 5e8).UTC(), LinkType: 1, Length: 60, Frame: []byte("half")},
			{LinkType: 1, Length: 8, Interface: "eth0", Frame: []byte("simple!!")},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != io.EOF {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestWrongFiles(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	good := pcap(le, magicMicro, 0, "frame")
	long := bytes.Clone(good)
	le.PutUint32(long[32:], 1<<30)
	for name, file := range map[string][]byte{
		"empty":                nil,
		"text":                 []byte("this is no capture"),
		"header cut":           good[:20],
		"record header cut":    good[:30],
		"frame cut":            good[:len(good)-1],
		"endless record":       long,
		"unknown interface":    append(section(le), enhanced(le, 0, 1, "x")...),
		"no byte order":        block(le, blockSection, make([]byte, 16)),
		"block too short":      append(section(le), 1, 0, 0, 0, 8, 0, 0, 0),
		"block cut":            section(le)[:20],
		"impossible precision": append(section(le), description(le, 1, option(le, optionResolution, "\x7f"))...),
	} {
		if got, err := all(file); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestWriter: what is written can be read, and a file without records is one.
func TestWriter(t *testing.T) {
	t.Parallel()
	records := []Record{
		{Time: time.Unix(1700000000, 123456789).UTC(), LinkType: 1, Length: 100, Frame: []byte("one")},
		{Time: time.Unix(1700000001, 0).UTC(), LinkType: 1, Length: 3, Frame: []byte("two")},
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(Record{LinkType: 101}); err == nil {
		t.Error("another link type is accepted")
	}
	got, err := all(b.Bytes())
	if diff := cmp.Diff(records, got); diff != "" || err != io.EOF || w.Close() != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	b.Reset()
	if err := NewWriter(&b).Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := all(b.Bytes()); err != io.EOF || len(got) > 0 {
		t.Errorf("no record: %v, %v", got, err)
	}
}

// FuzzReader: whatever the bytes, reading ends, with records that are no
// longer than the file.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("../netproc/wire/testdata/*.pcap")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	le := binary.LittleEndian
	f.Add(bytes.Join([][]byte{section(le), description(le, 1, option(le, optionName, "eth0")), enhanced(le, 0, 1, "one")}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := all(b)
		if err == nil || err != io.EOF && !errors.Is(err, ErrFormat) {
			t.Fatalf("ended with %v", err)
		}
		sum := 0
		for _, r := range records {
			sum += len(r.Frame)
		}
		if sum > len(b) {
			t.Fatalf("%d bytes in frames, %d in the file", sum, len(b))
		}
	})
}
