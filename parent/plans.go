package parent

// plans is the daemon as the broker knows it.
type plans struct{ d *daemon }

func (p plans) equipped(s *page, err error) { p.d.equipped(p.d.behind(s), err) }

func (p plans) mend(s *page) error { return p.d.mend(p.d.behind(s)) }

func (p plans) outlived(s *page) { p.d.behind(s).outlived, p.d.resyncAgain = true, max(p.d.now, 1) }

func (p plans) lookAt(l *wire, at int64) { p.d.links[l.id].lookAt(at) }

func (p plans) collect() map[placed]addrMsg { return p.d.collect() }

func (p plans) giveBack(lost map[placed]addrMsg, meant func(placed) bool) { p.d.giveBack(lost, meant) }
