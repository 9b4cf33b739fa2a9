package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"
)

// answerTime is how long answers to an ARP request are waited for: a LAN in
// one kernel answers within a millisecond.
const answerTime = 200 * time.Millisecond

// Answer is an ARP reply for an address.
type Answer struct {
	// From is the node that sent it, MAC the one it names.
	From, MAC string
}

// WhoHas has the client ask for an address and lists all that answer within
// 200 ms.
func (l *Lab) WhoHas(ip netip.Addr) (answers []Answer) {
	l.Helper()
	mark := l.Tap.Len()
	socket := l.Client.packetSocket()
	defer socket.Close()
	if _, err := socket.Write(arpQuestion(l.Client.MAC, l.Client.Addr, ip)); err != nil {
		l.Fatalf("arp request: %v", err)
	}
	time.Sleep(answerTime)
	for _, f := range l.Tap.From(mark) {
		if f.ARP != nil && f.ARP.Op == arpReply && f.ARP.SenderIP == ip {
			if a := (Answer{f.Port, f.ARP.SenderMAC}); !slices.Contains(answers, a) {
				answers = append(answers, a)
			}
		}
	}
	return answers
}

func arpQuestion(sender string, from, ip netip.Addr) []byte {
	mac, _ := net.ParseMAC(sender)
	b := slices.Repeat([]byte{0xff}, 6)
	b = append(b, mac...)
	b = binary.BigEndian.AppendUint16(b, etherARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, arpRequest)
	b = append(append(b, mac...), from.AsSlice()...)
	b = append(b, make([]byte, 6)...)
	return append(b, ip.AsSlice()...)
}
