package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Implementation constants.
const (
	// maxRecord is the most that a record or block may claim to have, in bytes:
	// what the usual tools write at the most.
	maxRecord = 1 << 20
	// maxInterfaces bounds those that a section of a pcapng file describes.
	maxInterfaces = 1 << 12
)

// Record is one captured frame.
type Record struct {
	Time time.Time
	// LinkType is what Frame begins with (pcap-linktype(7)).
	LinkType uint16
	// Length is that of the frame on the wire; Frame may be its beginning.
	Length uint32
	// Interface it was captured on, "" where the file does not say.
	Interface string
	// Frame is valid until the next record is read.
	Frame []byte
}

// Reader reads the records of a file.
type Reader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	next  func() (Record, error)
	buf   []byte

	// of pcap
	linkType uint16
	nano     bool
	// of pcapng: the interfaces of the section
	interfaces []iface
}

type iface struct {
	linkType uint16
	snapLen  uint32
	perSec   uint64 // units of time stamps in a second
	offset   int64  // seconds that are added to time stamps
	name     string
}

// Magic numbers.
const (
	magicMicro   = 0xa1b2c3d4
	magicNano    = 0xa1b23c4d
	blockSection = 0x0a0d0d0a
	magicSection = 0x1a2b3c4d
)

// Types of pcapng blocks, and the options that matter.
const (
	blockInterface = 1
	blockSimple    = 3
	blockEnhanced  = 6

	optionName       = 2
	optionResolution = 9
	optionOffset     = 14
)

// ErrFormat is wrapped by every error about the bytes of a file.
var ErrFormat = errors.New("not a capture file")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// NewReader reads the beginning of a file, which tells its format.
func NewReader(r io.Reader) (*Reader, error) {
	c := &Reader{in: bufio.NewReader(r)}
	head, err := c.in.Peek(4)
	if err != nil {
		return nil, wrong("it has no beginning: %v", err)
	}
	if binary.LittleEndian.Uint32(head) == blockSection {
		c.next, c.order = c.block, binary.LittleEndian
		return c, nil
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if magic := order.Uint32(head); magic == magicMicro || magic == magicNano {
			c.order, c.nano, c.next = order, magic == magicNano, c.record
			var header [24]byte
			if _, err := io.ReadFull(c.in, header[:]); err != nil {
				return nil, wrong("its header is cut off")
			}
			c.linkType = uint16(order.Uint32(header[20:]))
			return c, nil
		}
	}
	return nil, wrong("neither pcap nor pcapng: it begins with % x", head)
}

// Next reads the next record; io.EOF is the end.
func (c *Reader) Next() (Record, error) { return c.next() }

// take reads n bytes into memory that is used again.
func (c *Reader) take(n int) ([]byte, error) {
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	if _, err := io.ReadFull(c.in, c.buf[:n]); err != nil {
		return nil, wrong("it is cut off: %d bytes should follow", n)
	}
	return c.buf[:n], nil
}

// record reads a record of pcap: seconds, fraction, captured length, length.
func (c *Reader) record() (r Record, err error) {
	if _, err := c.in.Peek(1); err == io.EOF {
		return r, io.EOF
	}
	h, err := c.take(16)
	if err != nil {
		return r, err
	}
	fraction := int64(c.order.Uint32(h[4:]))
	if !c.nano {
		fraction *= int64(time.Microsecond)
	}
	r.Time, r.LinkType, r.Length = time.Unix(int64(c.order.Uint32(h)), fraction).UTC(), c.linkType, c.order.Uint32(h[12:])
	n := c.order.Uint32(h[8:])
	if n > maxRecord {
		return r, wrong("a record of %d bytes", n)
	}
	r.Frame, err = c.take(int(n))
	return r, err
}

// block reads blocks of pcapng up to the next frame.
func (c *Reader) block() (Record, error) {
	for {
		if _, err := c.in.Peek(1); err == io.EOF {
			return Record{}, io.EOF
		}
		kind, body, err := c.body()
		if err != nil {
			return Record{}, err
		}
		switch kind {
		case blockInterface:
			err = c.describe(body)
		case blockEnhanced, blockSimple:
			return c.frame(kind, body)
		}
		if err != nil {
			return Record{}, err
		}
	}
}

// body reads one block: type, length, body, length again. A section header
// tells the byte order of all that follows it, its own length included.
func (c *Reader) body() (kind uint32, body []byte, err error) {
	h, err := c.in.Peek(8)
	if err != nil {
		return 0, nil, wrong("a block is cut off")
	}
	if kind = c.order.Uint32(h); kind == blockSection {
		if h, err = c.in.Peek(12); err != nil {
			return 0, nil, wrong("a section is cut off")
		}
		switch uint32(magicSection) {
		case binary.LittleEndian.Uint32(h[8:]):
			c.order = binary.LittleEndian
		case binary.BigEndian.Uint32(h[8:]):
			c.order = binary.BigEndian
		default:
			return 0, nil, wrong("a section without byte order")
		}
		c.interfaces = nil
	}
	n := c.order.Uint32(h[4:])
	if n < 12 || n%4 != 0 || n > maxRecord {
		return 0, nil, wrong("a block of %d bytes", n)
	}
	whole, err := c.take(int(n))
	if err != nil {
		return 0, nil, err
	}
	if c.order.Uint32(whole[n-4:]) != n {
		return 0, nil, wrong("a block whose lengths differ")
	}
	return kind, whole[8 : n-4], nil
}

// describe reads an interface description: link type, reserved, snapshot
// length, options.
func (c *Reader) describe(b []byte) error {
	if len(b) < 8 || len(c.interfaces) >= maxInterfaces {
		return wrong("interface %d is described by %d bytes", len(c.interfaces), len(b))
	}
	i := iface{linkType: c.order.Uint16(b), snapLen: c.order.Uint32(b[4:]), perSec: 1e6}
	for b = b[8:]; len(b) >= 4; {
		kind, n := c.order.Uint16(b), int(c.order.Uint16(b[2:]))
		padded := (n + 3) &^ 3
		if b = b[4:]; kind == 0 || padded > len(b) {
			break
		}
		switch value := b[:n]; {
		case kind == optionName:
			i.name = string(value)
		case kind == optionResolution && n == 1:
			if i.perSec = resolution(value[0]); i.perSec == 0 {
				return wrong("time stamps of an unknown resolution %#x", value[0])
			}
		case kind == optionOffset && n == 8:
			i.offset = int64(c.order.Uint64(value))
		}
		b = b[padded:]
	}
	c.interfaces = append(c.interfaces, i)
	return nil
}

// resolution is the number of units in a second: a power of ten, or of two
// where the highest bit is set; 0 where that is beyond 64 bits.
func resolution(v byte) uint64 {
	if n := v & 0x7f; v&0x80 != 0 {
		if n > 63 {
			return 0
		}
		return 1 << n
	}
	units := uint64(1)
	for range v {
		hi, lo := bits.Mul64(units, 10)
		if hi != 0 {
			return 0
		}
		units = lo
	}
	return units
}

// frame reads a packet block. Enhanced: interface, time in two halves,
// captured length, length. Simple: length; of the first interface, untimed.
func (c *Reader) frame(kind uint32, b []byte) (r Record, err error) {
	index, head := uint32(0), 4
	if kind == blockEnhanced {
		head = 20
	}
	if len(b) < head {
		return r, wrong("a packet block of %d bytes", len(b))
	}
	if kind == blockEnhanced {
		index = c.order.Uint32(b)
	}
	if index >= uint32(len(c.interfaces)) {
		return r, wrong("a packet of interface %d, which is not described", index)
	}
	i := c.interfaces[index]
	r.LinkType, r.Interface, r.Length = i.linkType, i.name, c.order.Uint32(b[head-4:])
	captured := r.Length
	if kind == blockEnhanced {
		captured = c.order.Uint32(b[12:])
		r.Time = i.time(uint64(c.order.Uint32(b[4:]))<<32 | uint64(c.order.Uint32(b[8:])))
	} else if i.snapLen > 0 {
		captured = min(captured, i.snapLen)
	}
	if uint64(captured) > uint64(len(b)-head) {
		return r, wrong("a packet of %d bytes in a block of %d", captured, len(b))
	}
	r.Frame = b[head : head+int(captured)]
	return r, nil
}

// time is the instant of a time stamp.
func (i *iface) time(stamp uint64) time.Time {
	seconds, rest := stamp/i.perSec, stamp%i.perSec
	hi, lo := bits.Mul64(rest, uint64(time.Second))
	nanos, _ := bits.Div64(hi, lo, i.perSec)
	return time.Unix(int64(seconds)+i.offset, int64(nanos)).UTC()
}
