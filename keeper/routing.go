package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/keeper/routes"
	"golang.org/x/sys/unix"
)

// routing is what the keeper has to do with static routes.
type routing struct {
	follower *routes.Follower
	kernel   *routes.Socket  // nil where there are none
	coming   []keeping.Route // of which there are more
	sockets  []int           // that came with them
	next     *keeping.Routing
	active   bool // a virtual router is
}

// told takes over what the parent says of routes, once all of it is there. The next turn goes
// by it, and not the one under way.
func (r *routing) told(payload []byte, fds []int) error {
	var k keeping.Routing
	if err := decode(payload, &k); err != nil {
		return err
	}
	if len(r.coming) == 0 {
		for _, fd := range r.sockets { // which nobody has come to use
			unix.Close(fd)
		}
		r.sockets, r.next = fds, nil
	}
	if r.coming = append(r.coming, k.Routes...); !k.More {
		k.Routes, r.coming = r.coming, nil
		r.next, r.active = &k, k.Active
	}
	return nil
}

// take goes by what the parent has said last.
func (r *routing) take(now int64) {
	if r.kernel != nil {
		r.kernel.Close()
	}
	if r.kernel = nil; len(r.sockets) == 1 {
		r.kernel = routes.Over(r.sockets[0], r.follower.Concerns)
		r.follower.Set(r.next.Routes, r.kernel, r.next.Lost, now)
	}
	r.sockets, r.next = nil, nil
}

// refusal is an answer that says no.
type refusal keeping.Reply

func (r refusal) Error() string { return r.Words }

// Unwrap is the kernel's error, if it is one.
func (r refusal) Unwrap() error { return r.Errno }

// left is how long there is nothing to do, negative for ever.
func (r *routing) left() time.Duration {
	switch {
	case r.next != nil:
		return 0
	case r.kernel == nil:
		return -1
	case r.kernel.News() || r.follower.Active() != r.active: // heard while we asked
		return 0
	case r.follower.Due() == routes.Never:
		return -1
	}
	return max(0, time.Duration(r.follower.Due()-ipc.Monotonic()))
}

// route follows the routes.
func (k *keeper) route() error {
	r, now := &k.routing, ipc.Monotonic()
	if r.next != nil {
		r.take(now)
	}
	if r.kernel == nil {
		return nil
	}
	r.follower.SetActive(r.active)
	news, err := r.kernel.Hear()
	if err != nil {
		return fmt.Errorf("reports of routes: %w", err)
	}
	if news {
		r.follower.Changed(now)
	}
	r.follower.Turn(now)
	return k.failed
}

// ask asks the parent for something, and waits for the answer. Without the parent there is
// nothing left to do.
func (k *keeper) ask(request keeping.Request, number int) error {
	text, _ := json.Marshal(keeping.Question{Request: request, Number: number}) // which does not fail
	if k.failed == nil {
		k.failed = k.asks.Send(text)
	}
	var answer keeping.Reply
	for k.failed == nil {
		n, err := k.asks.Recv(k.buf)
		if err == nil {
			k.failed = decode(k.buf[:n], &answer)
			break
		}
		if k.failed = err; errors.Is(err, ipc.ErrAgain) {
			_, k.failed = ipc.Wait([]unix.PollFd{{Fd: int32(k.asks.FD()), Events: unix.POLLIN}}, -1)
		}
	}
	switch {
	case k.failed != nil:
		return unix.EAGAIN // and nothing is said of it
	case answer.Words != "":
		return refusal(answer)
	}
	return nil
}

// Install, Remove, Reaches, Lose and Find make it the parent of package routes.
func (k *keeper) Install(number int) error { return k.ask(keeping.Install, number) }

func (k *keeper) Remove(number int) error { return k.ask(keeping.Remove, number) }

func (k *keeper) Reaches(number int) bool { return k.ask(keeping.Reaches, number) == nil }

func (k *keeper) Lose(number int) error { return k.ask(keeping.Lose, number) }

func (k *keeper) Find() { _ = k.ask(keeping.Find, 0) }
