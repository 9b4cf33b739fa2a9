package parent

// plans is the daemon as the broker knows it.
type plans struct{ d *daemon }

func (p plans) equipped(s *page, err error) { p.d.equipped(p.d.behind(s), err) }

func (p plans) corrected(s *page, changed []setting) { p.d.putBack(s.name, changed) }

func (p plans) outlived(s *page) { p.d.behind(s).outlived, p.d.resyncAgain = true, max(p.d.now, 1) }

func (p plans) lookAt(l *wire, at int64) { p.d.links[l.id].lookAt(at) }

func (p plans) wentAlong(a placed) { p.d.along = append(p.d.along, a) }
