package lab

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// PingInterval is the time between two probes.
	PingInterval = 10 * time.Millisecond
	// PingTimeout is when a probe counts as lost.
	PingTimeout = 200 * time.Millisecond
	// judgment is how much later that is decided: the yardsticks say only after a
	// stall how long it was.
	judgment    = 100 * time.Millisecond
	echoRequest = 8
	echoReply   = 0
)

// Outage is a time without answers: from the first probe that was lost to the
// first answer after it.
type Outage struct {
	Start, End time.Time
	// Lost counts the probes without an answer.
	Lost int
}

// Duration is how long it lasted.
func (o Outage) Duration() time.Duration { return o.End.Sub(o.Start) }

// Pinger sends an ICMP echo request from the client every 10 ms.
type Pinger struct {
	// Outages holds those that have ended; an outage that lasts is not in it.
	Outages Record[Outage]
	// OnChange, if set, is called when an outage is noticed, and when it ends.
	OnChange func(o Outage, ended bool)

	mu       sync.Mutex
	sent     []time.Time // by sequence number
	answered []time.Time // zero: not
	judged   int         // probes whose fate is known
	lost     int
	outage   *Outage
	sources  map[string]int
	stop     chan struct{}
	stopped  sync.WaitGroup
}

// Ping starts to probe an address; Stop ends it.
func (l *Lab) Ping(ip netip.Addr, onChange func(Outage, bool)) *Pinger {
	l.Helper()
	p := &Pinger{OnChange: onChange, sources: make(map[string]int), stop: make(chan struct{})}
	to := &unix.SockaddrInet4{Addr: ip.As4()}
	out := l.Client.socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP, func(fd int) error {
		// It only sends: whatever arrives is left to the packet socket.
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
	})
	in := l.Client.socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(unix.ETH_P_IP)), packetOptions)
	id := uint16(os.Getpid())
	p.stopped.Add(1)
	go p.send(out, to, id, func() {
		read(in, false, func(b []byte, _ int, at time.Time) {
			if sequence, ok := parseEcho(b, ip, id); ok {
				p.answer(int(sequence), mac(b[6:]), at)
			}
		})
	})
	l.Cleanup(p.Stop)
	return p
}

// parseEcho reads an echo reply from ip and returns its sequence number.
func parseEcho(b []byte, ip netip.Addr, id uint16) (sequence uint16, ok bool) {
	if len(b) < 14+20+8 || b[14] != 0x45 || b[23] != unix.IPPROTO_ICMP || ipv4(b[26:]) != ip {
		return 0, false
	}
	icmp := b[34:]
	return binary.BigEndian.Uint16(icmp[6:]), icmp[0] == echoReply && binary.BigEndian.Uint16(icmp[4:]) == id
}

// send sends probes, reads what has been answered, and then judges: all that had
// arrived by then has been read, however long nothing of this ran.
func (p *Pinger) send(out *os.File, to unix.Sockaddr, id uint16, readAnswers func()) {
	defer p.stopped.Done()
	conn, err := out.SyscallConn()
	if err != nil {
		return
	}
	tick := time.NewTicker(PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		sequence := len(p.sent)
		// An address nobody answers for is unreachable after a while: that
		// probe is lost like the others.
		conn.Write(func(fd uintptr) bool {
			unix.Sendto(int(fd), echo(id, uint16(sequence)), 0, to)
			return true
		})
		now := time.Now() // not before: it may have taken a while to come to it
		p.mu.Lock()
		p.sent, p.answered = append(p.sent, now), append(p.answered, time.Time{})
		p.mu.Unlock()
		readAnswers()
		p.judge(now)
	}
}

func echo(id, sequence uint16) []byte {
	b := []byte{echoRequest, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, sequence)
	sum := uint32(echoRequest)<<8 + uint32(id) + uint32(sequence)
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	return b
}

// answer takes the answer to a probe. Sequence numbers wrap after eleven
// minutes; a lab does not live as long.
func (p *Pinger) answer(sequence int, source string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sequence >= len(p.sent) || !p.answered[sequence].IsZero() {
		return
	}
	p.answered[sequence] = at
	p.sources[source]++
	if o := p.outage; o != nil && p.sent[sequence].After(o.Start) && o.End.IsZero() {
		o.End = at
	}
}

// judge decides on the probes whose time is over, in order.
func (p *Pinger) judge(now time.Time) {
	p.mu.Lock()
	var notify []func()
	for ; p.judged < len(p.sent) && now.Sub(p.sent[p.judged]) > judgment+PingTimeout+Slack(p.sent[p.judged], now); p.judged++ {
		switch i := p.judged; {
		case !p.inTime(i):
			p.lost++
			if p.outage == nil {
				p.outage = &Outage{Start: p.sent[i]}
				p.outage.End = p.firstAnswerAfter(i)
				o := *p.outage
				notify = append(notify, func() { p.OnChange(o, false) })
			}
			p.outage.Lost++
		case p.outage != nil:
			o := *p.outage
			p.outage = nil
			p.Outages.Add(o)
			notify = append(notify, func() { p.OnChange(o, true) })
		}
	}
	p.mu.Unlock()
	if p.OnChange != nil {
		for _, f := range notify {
			f()
		}
	}
}

// inTime says whether a probe was answered, and soon enough.
func (p *Pinger) inTime(i int) bool {
	sent, at := p.sent[i], p.answered[i]
	return !at.IsZero() && at.Sub(sent) <= PingTimeout+Slack(sent, at)
}

// firstAnswerAfter is when the first probe after i that is answered already
// was sent; an answer takes microseconds.
func (p *Pinger) firstAnswerAfter(i int) time.Time {
	for j := i + 1; j < len(p.sent); j++ {
		if p.inTime(j) {
			return p.sent[j]
		}
	}
	return time.Time{}
}

// Stop ends it.
func (p *Pinger) Stop() {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.mu.Unlock()
	p.stopped.Wait()
}

// Counts returns how many probes were sent, and how many are lost.
func (p *Pinger) Counts() (sent, lost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent), p.lost
}

// Answering says whether the address has answered lately.
func (p *Pinger) Answering() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.sent)
	for i := max(0, n-5); i < n; i++ {
		if p.inTime(i) {
			return true
		}
	}
	return false
}

// Sources counts the answers by the MAC they came from.
func (p *Pinger) Sources() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]int, len(p.sources))
	for k, v := range p.sources {
		out[k] = v
	}
	return out
}
