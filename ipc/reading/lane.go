package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// maxPart is how much of a message one datagram holds, in bytes.
const maxPart = 32 << 10

// Lane is one end of a lane, on which messages come one after the other. It belongs to one
// goroutine.
type Lane struct {
	conn     *ipc.Conn
	until    int64 // CLOCK_MONOTONIC, ns; 0 for ever
	datagram []byte
	message  []byte // of several parts
}

// Over is the lane of a socket; after an instant of CLOCK_MONOTONIC in ns it is no longer
// waited for the other end, unless that is 0.
func Over(c *ipc.Conn, until int64) *Lane {
	return &Lane{conn: c, until: until, datagram: make([]byte, 1+maxPart)}
}

// ErrTime is returned when the other end has taken too long.
var ErrTime = errors.New("takes too long")

// late says whether the other end has taken too long, however busy it is.
func (l *Lane) late() bool { return l.until != 0 && ipc.Monotonic() >= l.until }

// wait waits for the socket.
func (l *Lane) wait(events int16) error {
	timeout := time.Duration(-1)
	if l.until != 0 {
		timeout = max(0, time.Duration(l.until-ipc.Monotonic()))
	}
	_, err := ipc.Wait([]unix.PollFd{{Fd: int32(l.conn.FD()), Events: events}}, timeout)
	return err
}

// Say sends a message.
func (l *Lane) Say(k Kind, payload []byte) error {
	for len(payload) > maxPart {
		if err := l.send(part, payload[:maxPart]); err != nil {
			return err
		}
		payload = payload[maxPart:]
	}
	return l.send(k, payload)
}

// SayJSON sends a message in JSON.
func (l *Lane) SayJSON(k Kind, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return l.Say(k, text)
}

// send sends a datagram.
func (l *Lane) send(k Kind, payload []byte) error {
	datagram := append([]byte{byte(k)}, payload...)
	defer clear(datagram)
	for !l.late() {
		err := l.conn.Send(datagram)
		if !errors.Is(err, ipc.ErrAgain) {
			return err
		}
		if err := l.wait(unix.POLLOUT); err != nil {
			return err
		}
	}
	return ErrTime
}

// Hear waits for a message; what is behind its kind is valid until the next.
func (l *Lane) Hear() (Kind, []byte, error) {
	l.message = l.message[:0]
	for {
		k, payload, err := l.receive()
		if err != nil || k != part && len(l.message) == 0 {
			return k, payload, err
		}
		if len(l.message)+len(payload) > MaxMessage {
			return 0, nil, fmt.Errorf("message of more than %d bytes", MaxMessage)
		}
		if l.message == nil { // in one piece of memory, so that there is one to wipe
			l.message = make([]byte, 0, MaxMessage)
		}
		l.message = append(l.message, payload...)
		if k != part {
			return k, l.message, nil
		}
	}
}

// receive waits for a datagram.
func (l *Lane) receive() (Kind, []byte, error) {
	for !l.late() {
		n, err := l.conn.Recv(l.datagram)
		if err == nil {
			return Kind(l.datagram[0]), l.datagram[1:n], nil
		}
		if !errors.Is(err, ipc.ErrAgain) {
			return 0, nil, err
		}
		if err := l.wait(unix.POLLIN); err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, ErrTime
}

// Expect waits for a message of a kind.
func (l *Lane) Expect(want Kind) ([]byte, error) {
	k, payload, err := l.Hear()
	if err == nil && k != want {
		err = fmt.Errorf("message %q, not %q", byte(k), byte(want))
	}
	return payload, err
}

// Decode decodes JSON of which every key must be known.
func Decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

// Wipe overwrites what was heard last.
func (l *Lane) Wipe() {
	clear(l.datagram)
	clear(l.message[:cap(l.message)])
}
