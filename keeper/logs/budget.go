package logs

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/pace"
)

// What the network process or a neighbor on the LAN can cause to be logged is
// limited for all virtual routers together, however many there are: the disk
// is one. A router has a share of its own beside that, so that what happens to
// one is not lost in the noise of others.

// Implementation constants.
const (
	// budgetRoom is how many bytes of such lines may come at once, and
	// budgetRate how many a second, of transitions and of reports each.
	budgetRoom = 64 << 10
	budgetRate = 2 << 10
	// routerLines is how many lines a router may have at once, and shareLines
	// how many of them it has whatever others have used up: two losses of a link,
	// each there and back. Each comes back after budgetPause, the least time between
	// two lines on what was left out.
	routerLines = 32
	shareLines  = 8
	budgetPause = 10 * time.Second
	// errorsOf is before the name of a router, or of an interface, in that of its
	// share for lines of level error: what flaps leaves room for what fails.
	errorsOf = "errors of "
	// lineCost is added for each line: its time and level.
	lineCost = 64
)

// Budget is the handler through which all lines pass; it holds some back, and
// tells of them. Its logger is given no attributes and groups of its own, which
// would lead past it.
type Budget struct {
	slog.Handler
	begin time.Time

	mu      sync.Mutex
	room    map[bool]*pace.Rate // bytes, of lines on routers and of others
	shares  map[string]*share   // by virtual router, its errors apart; that of all other lines is ""
	waiting bool                // what was left out will be told
}

// share is what a virtual router has of the log.
type share struct {
	lines  pace.Rate
	untold int    // lines left out
	last   string // the last of them
}

// NewBudget limits what reaches a handler.
func NewBudget(h slog.Handler) *Budget {
	bytes := func() *pace.Rate { return &pace.Rate{Period: time.Second / budgetRate, Burst: budgetRoom} }
	return &Budget{Handler: h, begin: time.Now(), room: map[bool]*pace.Rate{true: bytes(), false: bytes()}, shares: map[string]*share{"": {}}}
}

// Handle hands a line on, unless others have caused it and there is no room for it.
func (b *Budget) Handle(ctx context.Context, r slog.Record) error {
	if ctx == keeping.Hearsay {
		var admitted bool
		if r, admitted = b.admit(r); !admitted {
			return nil
		}
	}
	return b.Handler.Handle(ctx, r)
}

// admit says whether there is room for a line. One that is in a router's own
// share is without its hint then, which a child can make long.
func (b *Budget) admit(r slog.Record) (slog.Record, bool) {
	router, size, short := measure(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	s, now := b.shares[router], int64(time.Since(b.begin))
	if s == nil {
		s = &share{lines: pace.Rate{Period: budgetPause, Burst: routerLines}}
		b.shares[router] = s
	}
	own := s.lines.Spent(now) < shareLines*int64(s.lines.Period)
	// A line behind one that is missing would tell of a history that is none.
	if (router == "" || s.untold == 0) && s.lines.Take(now) {
		switch {
		case b.room[router != ""].Spend(size, now):
			return r, true
		case own && router != "":
			return short, true
		}
	}
	s.untold, s.last = s.untold+1, r.Message
	if !b.waiting {
		b.waiting = true
		time.AfterFunc(budgetPause, b.Tell)
	}
	return r, false
}

// measure returns whose share a line is of, what the line takes in a log, in bytes,
// and the line without its hint.
func measure(r slog.Record) (router string, size int64, short slog.Record) {
	severe := r.Level >= slog.LevelError
	short, size = slog.NewRecord(r.Time, r.Level, r.Message, r.PC), lineCost+int64(len(r.Message))
	for a := range r.Attrs {
		text := a.Value.String()
		size += int64(len(a.Key) + len(strconv.Quote(text)))
		if a.Key == "vr" || severe && a.Key == "link" {
			router = text
		}
		if a.Key != "hint" {
			short.AddAttrs(a)
		}
	}
	if severe {
		router = errorsOf + router
	}
	return router, size, short
}

// Tell tells what was left out: a line for each router, and one of all others.
func (b *Budget) Tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	log := slog.New(b.Handler)
	for _, router := range slices.Sorted(maps.Keys(b.shares)) {
		s := b.shares[router]
		switch {
		case s.untold == 0:
			continue
		case strings.HasPrefix(router, errorsOf):
			log.Warn("errors not logged", "of", strings.TrimPrefix(router, errorsOf), "count", s.untold, "last", s.last)
		case router == "":
			log.Warn("reports not logged", "count", s.untold, "last", s.last)
		default:
			log.Warn("transitions not logged", "vr", router, "count", s.untold, "last", s.last)
		}
		s.lines.Take(int64(time.Since(b.begin))) // for this one
		s.untold = 0
	}
}
