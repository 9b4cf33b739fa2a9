// Package plot is what a compromised keeper tries, once it is behind its walls and has been told
// what there is: with what it says, asks for and holds, and by what it does not.
package plot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"golang.org/x/sys/unix"
)

// Held is what a keeper holds.
type Held struct {
	// Control and Asks are its lanes.
	Control, Asks *ipc.Conn
	// Routes is a socket of route netlink, as the parent has opened it.
	Routes int
}

// maxIndex is more than the index of any interface in the lab.
const maxIndex = 64

// Plot is one thing to try.
type Plot struct {
	Name string
	// Ends: the daemon ends by it, as by a violation of the network process.
	Ends bool
	// Stops: it stops the service on the virtual routers, which a keeper can.
	Stops bool
	// Lost is what the parent says of a keeper that it ends for this, or that ends.
	Lost string
	// Borne: the parent ends no keeper for it.
	Borne bool
	// Do returns when there is nothing more to do; the error ends the process.
	Do func(h *Held) error
}

// All are the plots. A virtual router's VRID is the number of one, from 1 on.
var All = []Plot{
	{Name: "asks for a route before the first", Lost: "keeper asks for what there is not: route -1 of 1", Do: asks(keeping.Question{Request: keeping.Install, Number: -1})},
	{Name: "asks for a route behind the last", Lost: "keeper asks for what there is not: route 1 of 1", Do: asks(keeping.Question{Request: keeping.Remove, Number: 1})},
	{Name: "asks for a route far away", Lost: "keeper asks for what there is not", Do: asks(keeping.Question{Request: keeping.Reaches, Number: 1 << 40})},
	{Name: "asks for what there is not", Lost: "keeper asks for what there is not: 200", Do: asks(keeping.Question{Request: 200})},
	{Name: "asks in no JSON", Lost: "question: invalid character", Do: sends(false, []byte("\xff{"))},
	{Name: "asks for a number that is none", Lost: "question: json: cannot unmarshal number", Do: sends(false, []byte(`{"Request": 0, "Number": 1e99}`))},
	{Name: "asks nothing at all", Lost: "keeper lost", Do: sends(false, nil)},
	{Name: "asks at length", Lost: "question: lane: datagram longer than the buffer", Do: sends(false, bytes.Repeat([]byte(" "), keeping.MaxSaid+1))},
	{Name: "says Hello again", Lost: "message 'H'", Do: sends(true, append([]byte{byte(keeping.Hello)}, ipc.Build()...))},
	{Name: "says what the parent says", Lost: "message 'B'", Do: sends(true, []byte(`B{"Style":{"Level":-8},"Sinks":[]}`))},
	{Name: "says what nobody says", Lost: "message ", Do: sends(true, []byte{0})},
	{Name: "says nothing at length", Lost: "datagram longer than the buffer", Do: sends(true, bytes.Repeat([]byte{byte(keeping.Journal)}, keeping.MaxSaid+1))},
	{Name: "has a journal that nobody has", Lost: "message 'J'", Do: sends(true, append([]byte{byte(keeping.Journal)}, "<3>all is lost\n"...))},
	{Name: "has marked what nobody has", Lost: "message 'K'", Do: sends(true, []byte{byte(keeping.Marked)})},
	{Name: "asks without end", Borne: true, Do: storms(true, install)},
	{Name: "asks without end, and hears no answer", Do: storms(false, install)},
	{Name: "hands over without end", Stops: true, Do: storms(true, func(i int) keeping.Question {
		return keeping.Question{Request: keeping.Lose + keeping.Request(i%2)}
	})},
	{Name: "changes what its socket shows", Lost: "has tried it all", Do: meddles},
	{Name: "hears nothing", Borne: true, Do: wait},
	{Name: "dies", Lost: "exit status 1: dies", Do: func(*Held) error { return errors.New("dies") }},
	{Name: "dies when it has asked", Lost: "dies", Do: func(h *Held) error {
		return errors.Join(ask(h, keeping.Question{Request: keeping.Install}), errors.New("dies"))
	}},
	{Name: "blames the network process", Ends: true, Do: sends(true, append([]byte{byte(keeping.Violation)}, "it is hostile\x1b[2J"...))},
}

func install(i int) keeping.Question {
	return keeping.Question{Request: keeping.Install + keeping.Request(i%3)}
}

// wait waits to be killed, or until the parent has gone.
func wait(h *Held) error {
	_, err := ipc.Wait([]unix.PollFd{{Fd: int32(h.Control.FD())}}, -1)
	return errors.Join(err, errors.New("has waited"))
}

// asks asks once.
func asks(q keeping.Question) func(*Held) error {
	return func(h *Held) error { return errors.Join(ask(h, q), wait(h)) }
}

func ask(h *Held, q keeping.Question) error {
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return send(h.Asks, text)
}

// sends says something on the control lane, or asks.
func sends(control bool, message []byte) func(*Held) error {
	return func(h *Held) error {
		c := h.Asks
		if control {
			c = h.Control
		}
		return errors.Join(send(c, message), wait(h))
	}
}

// storms asks for one after the other as fast as the parent takes it.
func storms(answers bool, next func(i int) keeping.Question) func(*Held) error {
	return func(h *Held) error {
		b := make([]byte, keeping.MaxSaid)
		for i := 0; ; i++ {
			if err := ask(h, next(i)); err != nil {
				return err
			}
			for answers {
				if _, err := h.Asks.Recv(b); !errors.Is(err, ipc.ErrAgain) {
					if err != nil {
						return err
					}
					break
				}
				if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(h.Asks.FD()), Events: unix.POLLIN}}, -1); err != nil {
					return err
				}
			}
		}
	}
}

// send waits for room.
func send(c *ipc.Conn, message []byte) error {
	for {
		err := c.Send(message)
		if !errors.Is(err, ipc.ErrAgain) {
			return err
		}
		if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(c.FD()), Events: unix.POLLOUT}}, -1); err != nil {
			return err
		}
	}
}

// meddles sets each interface down, takes it away, and removes and adds addresses and routes there, by
// the socket that it was handed. What the kernel does not refuse shows in what there is afterwards.
func meddles(h *Held) error {
	for index := range maxIndex {
		for _, m := range meddling(index + 1) {
			if err := send(ipc.FromFD(h.Routes), m); err != nil {
				return fmt.Errorf("interface %d: %w", index+1, err)
			}
		}
	}
	return errors.New("has tried it all")
}
