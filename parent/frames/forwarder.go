package frames

import (
	"errors"
	"log/slog"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// packetsATurn bounds what one turn reads from a socket, and so the memory
	// for it: in a flood there is other work to do, and what is not read waits
	// in the socket.
	packetsATurn = 1000
	// batchMax is how much of it gathers before it goes on, in bytes.
	batchMax = 32 << 10
	// leastRoom is the least memory that a packet in a socket takes, in bytes:
	// the kernel's own for it are more.
	leastRoom = 512
)

// Forwarder hands what receivers hear to the network process, unread, with the
// instant of its arrival. Packets may gather for a while on the way.
type Forwarder struct {
	log       *slog.Logger
	receivers map[ipc.Family]*Receiver
	links     map[arrival]ipc.Link
	packet    []byte    // one received packet
	received  ipc.Frame // the message it becomes
	batch     ipc.Batch // and those that go on together
	gather    int64     // how long packets may gather, in ns
	gathered  int64     // when they were last read
	waiting   bool      // packets are gathering
	drained   bool      // in this turn
	losses    losses
}

// arrival is where and as what a packet arrived.
type arrival struct {
	index  int // of the interface
	family ipc.Family
}

// losses are packets that had arrived and never reached the network process: its
// silence about them must not be taken for an Active's. Both queues, the
// socket's and the lane's, keep the oldest and lose the newest.
type losses struct {
	batches uint64 // not taken, and not yet counted
	last    int64  // when the latest was found, CLOCK_MONOTONIC
	told    int64  // of which the network process has been told
	sockets Tally
	lane    Tally // datagrams, of many packets each
}

// NewForwarder is one that hears nothing yet.
func NewForwarder(log *slog.Logger) Forwarder {
	return Forwarder{log: log, receivers: make(map[ipc.Family]*Receiver), links: make(map[arrival]ipc.Link), packet: make([]byte, ipc.MaxFrame)}
}

// Lane is where packets go; without a Conn nobody is there to take them.
type Lane struct {
	Conn       *ipc.Conn
	Generation uint32
}

// Listen opens sockets for virtual routers, whose filters the kernel lets nobody
// change, and closes the old ones once they are read to their end. Packets gather
// for so many nanoseconds from then on. With an error nothing has changed.
func (f *Forwarder) Listen(vrids map[ipc.Family][]uint8, filtered bool, gather int64, to Lane) error {
	made := make(map[ipc.Family]*Receiver)
	for family, known := range vrids {
		if old := f.receivers[family]; old != nil && old.Hears(known, filtered) {
			made[family] = old
			continue
		}
		r, err := OpenReceiver(family, known, filtered)
		if err == nil {
			made[family] = r
			for at := range f.links {
				if at.family == family {
					err = errors.Join(err, r.Join(at.index))
				}
			}
		}
		if err != nil {
			for family, r := range made {
				if r != f.receivers[family] {
					r.Close()
				}
			}
			return err
		}
	}
	if to.Conn != nil {
		f.ForwardAll(to)
	}
	for family, r := range f.receivers {
		if made[family] != r {
			r.Close()
		}
	}
	f.receivers, f.gather = made, gather
	return nil
}

// Join has the packets of an interface heard, as those of a link: at once where there are
// virtual routers of the family, and once there are.
func (f *Forwarder) Join(index int, family ipc.Family, link ipc.Link) error {
	f.links[arrival{index, family}] = link
	if r := f.receivers[family]; r != nil {
		return r.Join(index)
	}
	return nil
}

// Leave undoes Join, also where it has failed. An interface that has become another link's is
// that one's to leave.
func (f *Forwarder) Leave(index int, family ipc.Family, link ipc.Link) {
	at := arrival{index, family}
	if of, joined := f.links[at]; !joined || of != link {
		return
	}
	if r := f.receivers[family]; r != nil {
		r.Leave(index)
	}
	delete(f.links, at)
}

// FD is what to wait for until packets of a family arrive; -1 while there is nothing
// to wait for.
func (f *Forwarder) FD(family ipc.Family) int {
	if r := f.receivers[family]; r != nil && !f.waiting {
		return r.FD()
	}
	return -1
}

// Due says whether packets are gathering, and until when, CLOCK_MONOTONIC in ns.
func (f *Forwarder) Due() (at int64, waiting bool) { return f.gathered + f.gather, f.waiting }

// Forward passes on what has arrived, as far as a turn goes, unless that may gather.
func (f *Forwarder) Forward(now int64, to Lane) {
	f.waiting = now-f.gathered < f.gather
	if f.waiting {
		return
	}
	f.gathered = now
	for family, r := range f.receivers {
		if !f.pass(family, r, packetsATurn, to) {
			f.gathered = now - f.gather // there is more: go on in the next turn
		}
	}
	f.flush(to)
	f.countLosses()
}

// ForwardAll passes on everything that has arrived by now, and what arrives
// meanwhile only as far as it cannot be told apart: the memory that a socket's
// queue takes says how many packets it may hold.
func (f *Forwarder) ForwardAll(to Lane) {
	for family, r := range f.receivers {
		f.pass(family, r, max(r.Queued()/leastRoom, packetsATurn), to)
	}
	f.flush(to)
	f.countLosses()
}

// Drain is ForwardAll, once a turn: who asks for it again before the answer to the last
// question has gone out, at the end of the turn, is not honest, and in a flood each of those
// questions would be milliseconds of work.
func (f *Forwarder) Drain(to Lane) {
	if !f.drained {
		f.ForwardAll(to)
	}
	f.drained = true
}

// EndTurn lets Drain begin anew.
func (f *Forwarder) EndTurn() { f.drained = false }

// pass reads so many packets at most, and says whether there are no more.
func (f *Forwarder) pass(family ipc.Family, r *Receiver, most int, to Lane) bool {
	for range most {
		n, index, arrived, err := r.Read(f.packet)
		if err != nil {
			return true
		}
		link, known := f.links[arrival{index, family}]
		if !known || to.Conn == nil {
			continue // nobody to tell; the socket is emptied all the same
		}
		f.received = ipc.Frame{Link: link, Family: family, Received: arrived, Packet: f.packet[:n]}
		f.batch.Add(ipc.Header{Generation: to.Generation, Slot: ipc.NoSlot}, &f.received)
		if f.batch.Len() >= batchMax {
			f.flush(to)
		}
	}
	return false
}

// flush sends the packets that were read. A network process that does not keep up
// loses them, as it would in the socket's own queue.
func (f *Forwarder) flush(to Lane) {
	if f.batch.Len() > 0 && f.batch.Flush(to.Conn.Send) != nil {
		f.losses.batches++
	}
}

// countLosses looks for packets that were lost since it last did, and tells of
// them at a limited rate.
func (f *Forwarder) countLosses() {
	l, now, sockets := &f.losses, ipc.Monotonic(), uint64(0)
	for _, r := range f.receivers {
		sockets += r.Dropped()
	}
	if sockets+l.batches > 0 {
		l.last = now
	}
	if n := l.sockets.Add(sockets, now); n > 0 {
		f.log.Warn("packets lost: they arrive faster than they are read, or we were not scheduled", "packets", n)
	}
	if n := l.lane.Add(l.batches, now); n > 0 {
		f.log.Warn("packets lost: the network process does not keep up, or was not scheduled", "batches", n)
	}
	l.batches = 0
}

// Missed says until when packets that had arrived may have been lost, CLOCK_MONOTONIC
// in ns, and once for each loss that they were.
func (f *Forwarder) Missed() (until int64, lost bool) {
	lost = f.losses.last > f.losses.told
	f.losses.told = f.losses.last
	return f.losses.last, lost
}
