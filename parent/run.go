package parent

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"github.com/rvrrpd/rvrrpd/vault"
	"github.com/rvrrpd/rvrrpd/walls"
	"github.com/rvrrpd/rvrrpd/walls/account"
	"golang.org/x/sys/unix"
)

const never = int64(math.MaxInt64)

// gatherMax is the longest time that packets may gather before they are
// passed on together.
const gatherMax = 10 * time.Millisecond

// daemon is the state of the parent, owned by the goroutine of Run.
type daemon struct {
	broker
	replaying
	routing
	reloading
	observing
	repairing
	living
	slots  []*slot // behind pages
	old    []*slot // behind oldPages
	links  []*link // behind wires
	keeper *logger.Logger
}

// replaying is what is remembered of senders, and where.
type replaying struct {
	stateDir   string
	stateDirty bool                // marks have changed since they were written
	stateNext  int64               // when they may be written again
	stateLocks map[string]*os.File // by interface
	bygone     map[vrID]bygone     // what may come back
	states     chan<- map[string][]byte
	stateDone  <-chan struct{}
}

// routing is what there is of static routes.
type routing struct {
	routes     []staticRoute // by number
	routed     bool          // the keeper has been told that a virtual router is Active
	routesLost bool          // one could not be put back, and virtual routers wait
}

// reloading is the next configuration, or the next daemon, under way.
type reloading struct {
	rereader *rereader
	leaving  bool         // to the next daemon, once the configuration has been read
	leaveBy  int64        // and then at the latest
	loaded   *reread      // under way
	pending  bool         // a reload waits
	vault    *vault.Vault // the secrets of the slots
	oldVault *vault.Vault // those of old
	confided bool         // there are secrets in outgoing
	reopen   func()
	applied  func(c *conf.Config, later []string)
	left     bool // to the next daemon
}

// observing is how the interfaces are followed.
type observing struct {
	monitor       monitor
	dump          func() ([]facts.Link, []facts.Address, error)
	called        map[int]string // interfaces, when all were looked at
	resyncAgain   int64          // when to look at everything once more, 0 for not
	resyncTrouble complaint      // about that
	conflictsTold map[ipc.Family]bool
	along         []placed // ours that the kernel has removed with others
}

// repairing is what is put back in time.
type repairing struct {
	equipping    []*slot // whose devices are to be made
	corrections  int     // how often somebody else had changed one
	settingsNext int64   // when to look at them
	settingsAt   int     // the slot whose were looked at last
}

// living is the life of the child, and ours as the service manager sees it.
type living struct {
	onReady  func() // nil once called
	readyBy  int64  // when it is called at the latest
	manager  *manager
	heart    heart
	user     string  // the child's user, as configured
	uid      int     // and its number
	crashes  []int64 // when the last children died
	struck   int     // how many had not begun yet
	respawn  int64   // when to start the next; never
	datagram []byte  // what the child says
}

// Run runs the daemon until a signal ends it.
// The error says why the daemon could not go on; whatever it had done to the
// system is undone, or left to the next daemon.
func Run(o Options) (err error) {
	c, log := o.Begun.Config, slog.New(o.Begun.log)
	if o.Ready == nil {
		o.Ready = func() {}
	}
	d := &daemon{
		broker: broker{
			log: log, now: ipc.Monotonic(), forwarder: frames.NewForwarder(log), refused: make(map[setting]bool), correcting: repairRate,
			ledger: ledger{generation: 1, locks: make(map[string]*os.File)}, speaking: speaking{ident: rand.Uint32()},
			leasing: leasing{complaints: rate{Period: 10 * time.Second, Burst: 1}, leaseCheck: never},
		},
		replaying: replaying{stateLocks: make(map[string]*os.File), bygone: make(map[vrID]bygone)},
		reloading: reloading{reopen: o.Reopen, applied: o.Applied},
		observing: observing{conflictsTold: make(map[ipc.Family]bool)},
		living:    living{onReady: o.Ready, respawn: never, datagram: make([]byte, ipc.MaxDatagram)},
	}
	nobody, _, _ := account.Identity("nobody") // where it has another number than the kernel's
	if d.user, d.uid = c.User, o.Begun.uid; d.uid == account.Nobody || d.uid == nobody {
		log.Warn("network process runs as nobody, whom any other process of nobody can stop", "hint", "a user of its own", "command", makeUser)
	}
	d.spawner, d.keeper = o.Begun.spawner, o.Begun.log
	if d.manager, err = openManager(); err != nil {
		return err
	}
	defer d.manager.close()
	if err := walls.Confine(kept); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	d.stateDir = c.StateDir
	d.states, d.stateDone = stateWriter(log)
	signals, err := ipc.SignalFD(o.Signals)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.undo()) }()
	if err := d.open(c); err != nil {
		return err
	}
	if d.rereader, err = newRereader(o.Begun.source); err != nil {
		return err
	}
	if d.chores, err = openChores(); err != nil {
		return err
	}
	if err := d.restrict(o); err != nil {
		return fmt.Errorf("confinement: %w", err)
	}
	if err := d.spawn(); err != nil {
		return err
	}
	err = d.loop(signals)
	if d.child != nil {
		d.end()
	}
	return cmp.Or(err, d.lost)
}

// errStopped ends the loop in order.
var errStopped = errors.New("stopped")

// loop waits for whatever comes first and deals with all of it, turn by turn.
func (d *daemon) loop(signals int) error {
	for {
		ready, err := d.wait(signals)
		if err != nil {
			return err
		}
		d.now = ipc.Monotonic()
		if err := d.turn(ready, signals); errors.Is(err, errStopped) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Descriptors the loop waits for.
const (
	fdSignals = iota
	fdMonitor
	fdForeign
	fdPackets4
	fdPackets6
	fdControl
	fdReread
	fdChores
	fdKeeper
	fdQuestions
	fdSpawner
	fdCount
)

// wait waits for a descriptor or the next deadline.
func (d *daemon) wait(signals int) (ready [fdCount]bool, err error) {
	fds := [fdCount]unix.PollFd{
		fdSignals: {Fd: int32(signals)}, fdMonitor: {Fd: int32(d.monitor.FD)}, fdForeign: {Fd: int32(d.foreignAddresses.FD)}, fdControl: {Fd: -1},
		fdPackets4: {Fd: int32(d.forwarder.FD(ipc.IPv4))}, fdPackets6: {Fd: int32(d.forwarder.FD(ipc.IPv6))},
		fdReread: {Fd: int32(d.rereader.fd)}, fdChores: {Fd: int32(d.chores.fd)},
	}
	fds[fdKeeper].Fd, fds[fdQuestions].Fd = d.keeper.FDs()
	fds[fdSpawner].Fd = int32(d.spawner.FD())
	if c := d.child; c != nil {
		fds[fdControl].Fd = int32(c.Control.FD())
	}
	for i := range fds {
		fds[i].Events = unix.POLLIN
	}
	fds[fdSpawner].Events = 0 // what it answers is for who has asked; that it is hung up is reported all the same
	timeout := time.Duration(-1)
	if next := d.next(); next != never {
		timeout = max(0, time.Duration(next-ipc.Monotonic()))
	}
	if _, err := ipc.Wait(fds[:], timeout); err != nil {
		return ready, fmt.Errorf("wait: %w", err)
	}
	for i := range fds {
		ready[i] = fds[i].Revents != 0
	}
	return ready, nil
}

// slack is how much earlier than we wake up for it something is done that can wait, ns, if something
// else has woken the loop.
const slack = int64(500 * time.Millisecond)

// next is the next deadline.
func (d *daemon) next() int64 {
	next := min(d.broker.next(), d.keeper.Due(), d.respawn, d.settingsNext, dueAt(d.resyncAgain))
	if d.stateDirty {
		next = min(next, d.stateNext)
	}
	if d.leaving && !d.stopping {
		next = min(next, d.leaveBy)
	}
	if len(d.equipping) > 0 {
		return d.now
	}
	if d.onReady != nil && d.child != nil && d.child.phase == ipc.PhaseRun {
		next = min(next, d.readyBy)
	}
	for _, l := range d.links {
		next = min(next, dueAt(l.again))
	}
	if d.child != nil {
		next = min(next, d.child.deadline)
		if d.child.phase == ipc.PhaseRun {
			next = min(next, d.heart.next)
		}
	}
	return next
}

// turn deals with everything that is ready or due.
func (d *daemon) turn(ready [fdCount]bool, signals int) error {
	began := d.now
	defer func() { d.child.excuse(ipc.Monotonic() - began) }()
	if ready[fdSpawner] {
		d.lost = d.spawner.Lost()
		d.log.Error("spawner lost", "error", d.lost)
		if err := d.bereft(); err != nil {
			return err
		}
	}
	if ready[fdControl] {
		err := d.converse()
		d.acquireAll() // before anything else looks at the ledger
		if err != nil {
			return err
		}
	}
	if _, waiting := d.forwarder.Due(); waiting || ready[fdPackets4] || ready[fdPackets6] {
		d.forwarder.Forward(d.now, d.lane())
	}
	d.leasesDue()
	if ready[fdForeign] || ready[fdMonitor] { // before anybody puts back what has gone along
		d.giveBack(d.collect(), nil)
		if d.foreignAddresses.failed != nil {
			return fmt.Errorf("addresses: %w", d.foreignAddresses.failed)
		}
	}
	if err := d.watch(ready[fdMonitor]); err != nil {
		return err
	}
	if ready[fdSignals] {
		if err := d.signalled(signals); err != nil {
			return err
		}
	}
	if err := d.keeper.Turn(d.now, ready[fdKeeper] || ready[fdQuestions]); err != nil {
		return d.unheardOf(err)
	}
	if ready[fdChores] {
		d.choreDone()
	}
	if ready[fdReread] {
		if err := d.heardAgain(); err != nil {
			return err
		}
	}
	if err := d.due(began); err != nil {
		return err
	}
	return d.flush()
}

// due lets pass what has run out; a child's time, when the turn began.
func (d *daemon) due(began int64) error {
	d.saveState()
	d.muteMore()
	d.equipMore()
	d.looksDue()
	d.checkSettings()
	d.tellActive()
	d.tellReady()
	if d.child != nil && began >= d.child.deadline { // and what it has said by then is heard
		if d.stopping {
			return errors.New("network process did not stop in time")
		}
		d.log.Error("network process did not get ready in time")
		return d.buried()
	}
	if d.beat() {
		d.log.Error("network process hangs", "for", time.Duration(hungAfter))
		return d.buried()
	}
	if err := d.leavesLate(); err != nil {
		return err
	}
	if d.now >= d.respawn {
		d.respawn = never
		return d.spawn()
	}
	return nil
}

// flush hands this turn's messages to the child.
func (d *daemon) flush() error {
	d.forwarder.EndTurn()
	d.keeper.EndTurn()
	d.acquireAll()
	d.renew()
	d.tidy()
	if d.child == nil {
		return nil
	}
	err := d.outgoing.Flush(d.child.Control.Send)
	if d.confided {
		d.outgoing.Wipe()
		d.confided = false
	}
	switch {
	case errors.Is(err, ipc.ErrAgain):
		d.log.Error("network process does not read its messages")
		return d.buried()
	case errors.Is(err, io.ErrClosedPipe):
		return nil // its end comes through the lane
	}
	return err
}
