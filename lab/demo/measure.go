package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// measurement is a row of the summary.
type measurement struct {
	what, between string
	took          time.Duration
	limitName     string
	limit         time.Duration
	lost          int
	outage        time.Duration
}

// instant marks where records stood.
type instant struct {
	at           time.Time
	frames, said int
}

// now marks the present: what follows is told from what was.
func (p *play) now() instant {
	return instant{time.Now(), p.lab.Tap.Len(), p.r2.Len()}
}

// adverts waits for a node's next advertisements.
func (p *play) adverts(n *lab.Node, count int) {
	for range count {
		p.lab.Tap.Await(p.lab.Tap.Len(), 2*time.Second, n.Name+"'s next advertisement", lab.Advert(n))
	}
}

// holds checks that one router has the address and the other has not.
func (p *play) holds(yes, no *lab.Node) {
	if !lab.Until(time.Second, func() bool { return yes.Holds(lab.VIP) && !no.Holds(lab.VIP) }) {
		p.Errorf("%v is held by %v, not by %s alone", lab.VIP, p.lab.Holders(lab.VIP), yes.Name)
	}
}

// measure adds a row, with what the client has lost since a time.
func (p *play) measure(what, between string, took time.Duration, limitName string, limit time.Duration, since time.Time) {
	p.flush()
	m := measurement{what: what, between: between, took: took, limitName: limitName, limit: limit}
	for _, o := range p.ping.Outages.From(0) {
		if o.End.After(since) {
			m.lost += o.Lost
			m.outage += o.Duration()
		}
	}
	p.rows = append(p.rows, m)
	if took > limit+tolerance || took < limit-tolerance {
		p.Errorf("%s: %s after %s, but %s is %s", what, between, ms(took), limitName, ms(limit))
	}
	fmt.Printf("%8s  %s\n", "", paint(bold, fmt.Sprintf("%s: %s; %s is %s", between, ms(took), limitName, ms(limit))))
}

// summary prints the table.
func (p *play) summary(took time.Duration) {
	fmt.Printf("\n%s\n", paint(bold, "== summary"))
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tON THE WIRE\tTOOK\tTHE PROTOCOL SAYS\t\tMORE\tCLIENT'S LOSS")
	for _, m := range p.rows {
		loss := "none"
		if m.lost > 0 {
			loss = fmt.Sprintf("%d probes, %s", m.lost, ms(m.outage))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%+.1f ms\t%s\n", m.what, m.between, ms(m.took), m.limitName, ms(m.limit),
			float64(m.took-m.limit)/float64(time.Millisecond), loss)
	}
	w.Flush()
	if p.ping != nil {
		sent, lost := p.ping.Counts()
		fmt.Printf("\n%d probes sent, %d lost. ", sent, lost)
	}
	if len(p.Failures()) == 0 {
		fmt.Printf("No address, device, setting, process or namespace is left behind. %.0f s.\n", took.Seconds())
	}
}
