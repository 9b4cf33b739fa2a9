package capture

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Writer writes a pcap file with time stamps in nanoseconds.
type Writer struct {
	out      io.Writer
	linkType uint16
	begun    bool
	buf      []byte
}

// NewWriter returns a writer to out, which gets a record at a time.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write writes a record. All must have the link type of the first: the format
// has one for the whole file.
func (w *Writer) Write(r Record) error {
	w.buf = w.buf[:0]
	if !w.begun {
		w.header(r.LinkType)
	}
	if r.LinkType != w.linkType {
		return fmt.Errorf("capture: a frame of link type %d behind those of link type %d; pcap has one", r.LinkType, w.linkType)
	}
	le := binary.LittleEndian
	w.buf = le.AppendUint32(w.buf, uint32(r.Time.Unix()))
	w.buf = le.AppendUint32(w.buf, uint32(r.Time.Nanosecond()))
	w.buf = le.AppendUint32(w.buf, uint32(len(r.Frame)))
	w.buf = le.AppendUint32(w.buf, r.Length)
	w.buf = append(w.buf, r.Frame...)
	_, err := w.out.Write(w.buf)
	return err
}

// Close writes the header of a file without records, so that it is one.
func (w *Writer) Close() error {
	if w.begun {
		return nil
	}
	w.buf = w.buf[:0]
	w.header(1)
	_, err := w.out.Write(w.buf)
	return err
}

// header is version 2.4, in UTC, with the longest records.
func (w *Writer) header(linkType uint16) {
	w.begun, w.linkType = true, linkType
	le := binary.LittleEndian
	w.buf = le.AppendUint32(w.buf, magicNano)
	w.buf = le.AppendUint16(w.buf, 2)
	w.buf = le.AppendUint16(w.buf, 4)
	w.buf = append(w.buf, make([]byte, 8)...)
	w.buf = le.AppendUint32(w.buf, maxRecord)
	w.buf = le.AppendUint32(w.buf, uint32(linkType))
}
