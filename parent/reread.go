package parent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"github.com/rvrrpd/rvrrpd/parent/reader"
	"github.com/rvrrpd/rvrrpd/walls"
)

// Begun is a daemon that knows its configuration, and does not run it yet.
type Begun struct {
	// Config is the configuration.
	Config  *conf.Config
	spawner *children.Spawner
	source  *reader.Source
	log     *logger.Logger
	uid     int // that of children
	gid     int
}

// Begin starts the spawner and has the configuration at a full path read, for a daemon in the
// daemon mode or in the foreground. The error
// is ErrRefused, and its text one line or more, if the configuration is not valid.
func Begin(path string, format conf.Format, daemon bool, log *logger.Logger) (*Begun, error) {
	if err := walls.MustHave(kept, "start the daemon as root, or with these in its ambient set"); err != nil {
		return nil, err
	}
	// Which user the network process is to have the configuration says.
	uid, gid, err := children.Identity("")
	if err != nil {
		return nil, err
	}
	b := &Begun{log: log}
	if b.spawner, err = children.Start(uid, gid, ipc.NetprocProgram, ipc.ReaderProgram, ipc.KeeperProgram); err != nil {
		return nil, err
	}
	b.source = reader.New(b.spawner, path, format, daemon)
	if b.Config, _, err = b.source.Load(); err == nil {
		err = b.serve()
	}
	if err != nil {
		b.spawner.Close()
		return nil, err
	}
	return b, nil
}

// serve has children started as the configured user, and the keeper first.
func (b *Begun) serve() (err error) {
	if b.uid, b.gid, err = children.Identity(b.Config.User); err != nil {
		return err
	}
	if err = b.spawner.Serve(b.uid, b.gid); err != nil {
		return err
	}
	return b.log.Start(b.spawner)
}

// Close has all written that was logged, and ends what was begun. What no keeper writes goes to
// w.
func (b *Begun) Close(w io.Writer) {
	b.log.Close(w)
	b.spawner.Close()
}

// ErrRefused is, of what Begin returns, that the configuration is not valid.
var ErrRefused = reader.ErrRefused

// reread is a configuration that was read while the daemon runs, or why there is none.
type reread struct {
	config *conf.Config
	later  []string // changes that have no effect before a restart
	err    error
}

// rereader has the configuration read beside the loop: advertisements wait neither for files
// nor for another process.
type rereader struct {
	worker[reread]
	source *reader.Source
	again  bool // what is being read may be older than what it was asked for last
}

func newRereader(s *reader.Source) (*rereader, error) {
	w, err := startWorker[reread]()
	return &rereader{worker: w, source: s}, err
}

// read has it read as it is now.
func (r *rereader) read() {
	if r.busy {
		r.again = true
		return
	}
	r.ask(func() reread {
		runtime.LockOSThread() // one thread alone has secrets in its registers
		defer runtime.UnlockOSThread()
		c, later, err := r.source.Load()
		return reread{c, later, err}
	})
}

// result takes what was read; older, if it has been asked for once more meanwhile, which is
// under way then.
func (r *rereader) result() (read reread, older bool) {
	r.done() // which says nothing new: nobody else waits
	read = r.wait()
	older, r.again = r.again, false
	if older {
		r.read()
	}
	return read, older
}

// cannotReach is behind the error of a reload that may not read a file.
const cannotReach = "the daemon reads its files only where they were at the start, or where a symbolic link leads near that; for a directory that was replaced, or is another one, restart it: systemctl restart, or SIGUSR2, hands over"

// heardAgain acts on a configuration that was read again.
func (d *daemon) heardAgain() error {
	r, older := d.rereader.result()
	running := d.child != nil && d.child.phase == ipc.PhaseRun
	if older || d.stopping || d.leaving || r.err == nil && !running {
		r.wipe()
	}
	switch {
	case older || d.stopping:
		return nil
	case d.leaving:
		return d.leave(r.err)
	case r.err == nil && !running:
		d.pending = true // for the next child
		return nil
	case errors.Is(r.err, fs.ErrPermission):
		r.err = fmt.Errorf("%w\n%s", r.err, cannotReach)
	}
	d.apply(r)
	if d.pending { // it has been asked for again meanwhile
		d.reload()
	}
	return nil
}

// wipe overwrites the secrets in it.
func (r *reread) wipe() {
	if r.config != nil {
		r.config.Wipe()
	}
}

// leaveTime is how long a daemon that is to hand over waits for its configuration, ns: a
// service manager waits for its end.
const leaveTime = int64(4 * time.Second)

// toLeave has the configuration read again, for leave.
func (d *daemon) toLeave() error {
	d.manager.tell("STOPPING=1")
	if d.stopping {
		return d.stop()
	}
	if !d.leaving {
		d.leaving, d.leaveBy = true, d.now+leaveTime
		d.rereader.read()
	}
	return nil
}

// leavesLate stops a daemon whose configuration nobody has read in time.
func (d *daemon) leavesLate() error {
	if !d.leaving || d.stopping || d.now < d.leaveBy {
		return nil
	}
	return d.leave(errors.New("reading the configuration takes too long"))
}
