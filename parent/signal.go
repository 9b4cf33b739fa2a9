package parent

import (
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// signalled acts on caught signals.
func (d *daemon) signalled(fd int) error {
	var b [16]byte
	n, err := unix.Read(fd, b[:])
	if err != nil {
		return nil
	}
	for _, s := range b[:max(n, 0)] {
		switch unix.Signal(s) {
		case unix.SIGHUP:
			d.reload()
			continue
		case unix.SIGUSR1:
			if d.reopen != nil {
				d.reopen()
			}
			continue
		case unix.SIGUSR2:
			if err := d.toLeave(); err != nil {
				return err
			}
			continue
		}
		d.log.Info("stopping", "signal", unix.SignalName(unix.Signal(s)))
		if err := d.stop(); err != nil {
			return err
		}
	}
	return nil
}

// bereft ends a daemon that has lost its spawner. A service manager starts the next one, to
// which it hands over; elsewhere it stops, and a network process that lives says goodbye.
func (d *daemon) bereft() error {
	if d.manager.watches() {
		return d.leave(nil)
	}
	return d.stop()
}

// stop has the child hand over every virtual router, and ends at once where
// there is none that could. Being told once more cuts no goodbye short.
func (d *daemon) stop() error {
	if d.stopping {
		return nil
	}
	d.manager.tell("STOPPING=1")
	if d.child == nil || d.child.phase != ipc.PhaseRun {
		return errStopped
	}
	d.stopping = true
	d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Stop{})
	d.child.phase, d.child.deadline = ipc.PhaseStop, d.now+stopTime
	return nil
}
