package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// Scenario is a simulation as text: the routers, the LAN's seed and what is
// done to it. The same scenario always runs the same way.
type Scenario struct {
	Seed    uint64 // of loss, delay and duplication
	Routers []engine.Config
	Ops     []Op // by time
}

// Op is one thing done at an instant: a verb and what it is done to.
//
//	start N, shutdown N          Startup and Shutdown event
//	crash N, restart N           the machine dies, comes back and starts
//	respawn N MS                 the process dies; MS later another restores what was held
//	down N, up N                 the interface goes down, comes up
//	stall N MS                   the process is not scheduled; frames wait
//	nap N MS                     the same if N is Backup; no reason to change any state
//	flood N MS                   a nap in which the socket overflows: it keeps the oldest frame
//	clock N MS                   the wall clock is stepped, on or back; no reason either
//	refuse N TIMES               the next acquisitions fail
//	revoke N                     the addresses are taken away
//	renumber N LAST-OCTET        a new primary address
//	watch N                      from now on the router may not change its state
//	lan LOSS DUP DELAY-US        percent, percent, most delay of a frame
//	partition G0 G1 ...          the segment of every router
//	calm                         no loss or duplication, nobody is stalled, nothing is refused
//	check                        now: one Active in each segment, the right one
//	kill, leave                  now, after check: every Active crashes, or shuts down
type Op struct {
	At   time.Duration
	Verb string
	Args []int
}

// String writes the op as one line of a script.
func (o Op) String() string {
	s := o.At.String() + " " + o.Verb
	for _, a := range o.Args {
		s += " " + strconv.Itoa(a)
	}
	return s
}

// String writes the scenario as a script that ParseScenario reads.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", s.Seed)
	for _, c := range s.Routers {
		fmt.Fprintf(&b, "router %s\n", FormatConfig(c))
	}
	for _, op := range s.Ops {
		fmt.Fprintln(&b, op)
	}
	return b.String()
}

// opArgs is the number of arguments of each verb; -1: one for every router.
var opArgs = map[string]int{
	"start": 1, "shutdown": 1, "crash": 1, "restart": 1, "respawn": 2, "down": 1, "up": 1,
	"stall": 2, "nap": 2, "flood": 2, "clock": 2, "refuse": 2, "revoke": 1, "renumber": 2, "watch": 1, "lan": 3, "partition": -1,
	"calm": 0, "check": 0, "kill": 0, "leave": 0,
}

// lanVerbs do not name a router first.
var lanVerbs = map[string]bool{"lan": true, "partition": true, "calm": true, "check": true, "kill": true, "leave": true}

// harmless is what may be done to a LAN after check without making any router
// change its state.
var harmless = map[string]bool{"nap": true, "flood": true, "clock": true}

// ParseScenario reads a script: seed, router lines, then ops by time. Lines
// that begin with # are comments.
func ParseScenario(text string) (Scenario, error) {
	var s Scenario
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := s.parseLine(words); err != nil {
			return s, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return s, nil
}

func (s *Scenario) parseLine(words []string) (err error) {
	switch {
	case words[0] == "seed" && len(words) == 2:
		s.Seed, err = strconv.ParseUint(words[1], 10, 64)
	case words[0] == "router":
		var c engine.Config
		c, err = ParseConfig(words[1:])
		s.Routers = append(s.Routers, c)
	case len(words) < 2:
		err = fmt.Errorf("op %q: no verb", words[0])
	default:
		var op Op
		op, err = s.parseOp(words)
		s.Ops = append(s.Ops, op)
	}
	return err
}

func (s *Scenario) parseOp(words []string) (Op, error) {
	at, err := time.ParseDuration(words[0])
	op := Op{At: at, Verb: words[1]}
	for _, word := range words[2:] {
		n, e := strconv.Atoi(word)
		if e != nil {
			err = e
		}
		op.Args = append(op.Args, n)
	}
	want, known := opArgs[op.Verb]
	if want < 0 {
		want = len(s.Routers)
	}
	switch {
	case err != nil:
	case !known || len(op.Args) != want:
		err = fmt.Errorf("op %q: unknown, or wrong number of arguments", op.Verb)
	case !lanVerbs[op.Verb] && (op.Args[0] < 0 || op.Args[0] >= len(s.Routers)):
		err = fmt.Errorf("op %q: no router %d", op.Verb, op.Args[0])
	case op.Verb == "partition" && slices.ContainsFunc(op.Args, func(g int) bool { return g < 0 || g >= want }):
		err = fmt.Errorf("op partition: segments are 0 to %d", want-1)
	case len(s.Ops) > 0 && at < s.Ops[len(s.Ops)-1].At:
		err = fmt.Errorf("op at %s: not in order", at)
	}
	return op, err
}

// primaryOf is the first primary address of a router.
func primaryOf(node int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + node)}) }
