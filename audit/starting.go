package audit

// How long a start may take, in seconds: of the parent, which sweeps what another
// has left, and of a child, which it gives up after five; a reader gets as long.
const (
	parentStarts = 60
	childStarts  = 6
)

// excuse marks the promises that are still to come, of a daemon that is starting, or
// whose child is, and says what is awaited. It says "" if that is nothing, and also if
// anything else is not as promised: whoever starts again and again must not hide it.
func (d *Daemon) excuse() string {
	awaited := d.toCome()
	if awaited == "" {
		return ""
	}
	all := !d.tooMany
	for _, p := range d.Processes {
		for i := range p.Checks {
			c := &p.Checks[i]
			c.ToCome = !c.Pass && d.excuses(p, c.Promise)
			all = all && (c.Pass || c.ToCome)
		}
	}
	d.early = !d.tooMany
	if !all {
		return ""
	}
	return awaited
}

// toCome says what has not come yet: "" if all is there that will be. A process
// closes its filter behind itself when all else of its walls stands, and the parent
// does so before it has the child started. So what is not as promised beside a child
// with a filter of its own stays so, and so it does if it takes too long.
func (d *Daemon) toCome() string {
	above, child := d.Processes[0], d.first(roleChild)
	switch {
	case child != nil && ownFilter(child, d) == "":
		return d.othersToCome()
	case child != nil && young(child, childStarts):
		return "its network process is not confined yet"
	case child == nil && young(above, parentStarts):
		return "its network process is not there yet"
	}
	return ""
}

// othersToCome says what has not come of those beside a child that is behind its walls.
func (d *Daemon) othersToCome() string {
	reader, keeper := d.first(roleReader), d.first(roleKeeper)
	switch {
	case keeper != nil && ownFilter(keeper, d) != "" && young(keeper, childStarts):
		return "its keeper is not confined yet"
	case keeper == nil && !d.sniffer && young(d.Processes[0], parentStarts):
		return "its keeper is not there yet"
	case reader != nil && young(reader, childStarts):
		return "its reader is not confined yet"
	}
	return ""
}

// excuses says whether a promise about a process can still be to come, where
// something is: all of a child's that has no filter of its own yet, of a young keeper's likewise, and of a young
// reader's, and, while the parent has no filter yet, all of the parent's and the spawner's:
// what has not executed its program may be the reader, which comes before that.
func (d *Daemon) excuses(p *Process, sentence string) bool {
	switch p.Role {
	case roleChild:
		return ownFilter(p, d) != ""
	case roleReader:
		return young(p, childStarts)
	case roleKeeper:
		return young(p, childStarts) && ownFilter(p, d) != ""
	}
	child := d.first(roleChild)
	return sentence == spawnerHoldsLittle || (child == nil || child.cloned) && !d.closed()
}

// closed says whether the parent has its filter, and with it all its walls: it has as
// many as a spawner that has given up its privileges. Beside a spawner that is a
// service of its own that cannot be told.
func (d *Daemon) closed() bool {
	spawner, left := d.first(roleSpawner), "none"
	if d.service() == "0" {
		left = "setgid setuid"
	}
	return spawner != nil && !d.Activated && set("effective", left)(spawner, d) == "" && filtered(d.Processes[0], d) == ""
}

// young says whether a process has been there for no longer than some seconds.
func young(p *Process, seconds int64) bool { return p.Age >= 0 && p.Age <= seconds }
