package parent

import (
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// Implementation constants.
const (
	// packetsATurn bounds what one turn reads from a socket, and so the memory
	// for it: in a flood there is other work to do, and what is not read waits
	// in the socket.
	packetsATurn = 1000
	// batchMax is how much of it gathers before it goes to the child, in bytes.
	batchMax = 32 << 10
	// leastRoom is the least memory that a packet in a socket takes, in bytes:
	// the kernel's own for it are more.
	leastRoom = 512
)

// losses are packets that had arrived and never reached the child: its
// silence about them must not be taken for an Active's. Both queues, the
// socket's and the lane's, keep the oldest and lose the newest.
type losses struct {
	last    int64 // when the latest was found, CLOCK_MONOTONIC
	told    int64 // of which the child has been told
	sockets tally
	lane    tally // datagrams, of many packets each
}

// forward passes on what has arrived, as far as a turn goes.
func (d *daemon) forward() {
	d.gathered, d.waiting = d.now, false
	for family, r := range d.recv {
		if !d.passPackets(family, r, packetsATurn) {
			d.gathered = d.now - d.gather // there is more: go on in the next turn
		}
	}
	d.passOn()
	d.countLosses()
}

// forwardAll passes on everything that has arrived by now, and what arrives
// meanwhile only as far as it cannot be told apart: the memory that a socket's
// queue takes says how many packets it may hold.
func (d *daemon) forwardAll() {
	for family, r := range d.recv {
		d.passPackets(family, r, max(r.Queued()/leastRoom, packetsATurn))
	}
	d.passOn()
	d.countLosses()
}

// passPackets reads so many packets at most, and says whether there are no more.
func (d *daemon) passPackets(family ipc.Family, r *frames.Receiver, most int) bool {
	for range most {
		n, index, arrived, err := r.Read(d.packet)
		if err != nil {
			return true
		}
		id, known := d.byIndex[arrival{index, family}]
		if !known || !d.child.configured() {
			continue // nobody to tell; the socket is emptied all the same
		}
		d.received = ipc.Frame{Link: id, Family: family, Received: arrived, Packet: d.packet[:n]}
		d.batch.Add(ipc.Header{Generation: d.generation, Slot: ipc.NoSlot}, &d.received)
		if d.batch.Len() >= batchMax {
			d.passOn()
		}
	}
	return false
}

// passOn sends the packets that were read to the child. One that does not
// keep up loses them, as it would in the socket's own queue.
func (d *daemon) passOn() {
	if d.batch.Len() > 0 && d.batch.Flush(d.child.Frames.Send) != nil {
		d.lost++
	}
}

// countLosses looks for packets that were lost since it last did, and tells of
// them at a limited rate.
func (d *daemon) countLosses() {
	now, sockets, lane := ipc.Monotonic(), uint64(0), d.lost
	for _, r := range d.recv {
		sockets += r.Dropped()
	}
	d.lost = 0
	if sockets+lane > 0 {
		d.losses.last = now
	}
	if n := d.losses.sockets.add(sockets, now); n > 0 {
		d.log.Warn("packets lost: they arrive faster than they are read, or we were not scheduled", "packets", n)
	}
	if n := d.losses.lane.add(lane, now); n > 0 {
		d.log.Warn("packets lost: the network process does not keep up, or was not scheduled", "batches", n)
	}
}

// answerDrain answers the child's question whether anything has arrived that it has
// not seen: first all that has, then whether some of it was lost. Who asks again
// before the answer has gone out, at the end of the turn, is not honest: in a
// flood each of those questions would be milliseconds of work.
func (d *daemon) answerDrain(h ipc.Header) {
	if !d.drained {
		d.forwardAll()
	}
	d.drained = true
	if d.losses.last > d.losses.told {
		d.losses.told = d.losses.last
		d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Missed{Until: d.losses.last})
	}
	d.answer(h, h.Type, ipc.CodeDone)
}
