package netproc

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// packetJSON is a packet as one object. What cannot be read of a malformed
// packet is left out.
type packetJSON struct {
	Time       string        `json:"time"`
	Interface  string        `json:"interface,omitempty"`
	SrcMAC     string        `json:"src_mac,omitempty"`
	DstMAC     string        `json:"dst_mac,omitempty"`
	VLAN       *uint16       `json:"vlan,omitempty"`
	InnerVLAN  *uint16       `json:"inner_vlan,omitempty"`
	Src        string        `json:"src,omitempty"`
	Dst        string        `json:"dst,omitempty"`
	TTL        *uint8        `json:"ttl,omitempty"`
	Family     ipc.Family    `json:"family"`
	Protocol   string        `json:"protocol"` // vrrp or carp
	Version    *uint8        `json:"version,omitempty"`
	Type       *uint8        `json:"type,omitempty"`
	VRID       *uint8        `json:"vrid,omitempty"`
	Priority   *uint8        `json:"priority,omitempty"`
	Count      *uint8        `json:"count,omitempty"`
	Addresses  []netip.Addr  `json:"addresses,omitempty"`
	AuthType   string        `json:"auth_type,omitempty"`
	IntervalMS *int64        `json:"interval_ms,omitempty"`
	Checksum   *checksumJSON `json:"checksum,omitempty"`
	HMAC       *hmacJSON     `json:"hmac,omitempty"`
	CARP       *carpJSON     `json:"carp,omitempty"`
	Fragments  int           `json:"fragments,omitempty"`
	Truncated  bool          `json:"truncated,omitempty"`
	Errors     []string      `json:"errors"`
	Verdict    string        `json:"verdict,omitempty"`
	Missed     string        `json:"not_received,omitempty"`
	Notices    []string      `json:"notices,omitempty"`
}

type checksumJSON struct {
	Received string `json:"received"`
	Valid    *bool  `json:"valid,omitempty"`
	Form     string `json:"form,omitempty"`
}

type hmacJSON struct {
	KeyID    uint8  `json:"key_id"`
	Seconds  uint32 `json:"seconds"`
	Fraction uint16 `json:"fraction"`
	Counter  uint16 `json:"counter"`
}

type carpJSON struct {
	VHID    uint8 `json:"vhid"`
	AdvSkew uint8 `json:"advskew"`
	AdvBase uint8 `json:"advbase"`
}

// timeLayout is RFC 3339 with nanoseconds, in UTC: this process has no time
// zones.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// show appends what is to be shown of a packet.
func (s *sniffer) show(v *packetView) {
	o := s.object(v)
	if s.JSON {
		line, err := json.Marshal(o)
		if err == nil {
			s.shown.Text = append(append(s.shown.Text, line...), '\n')
		}
		return
	}
	b := &strings.Builder{}
	o.line(b, s.Detail)
	if s.Detail >= 3 {
		dump(b, v.packet)
	}
	text := b.String()
	s.shown.Text = append(s.shown.Text, text[:min(len(text), ipc.MaxShown)]...)
}

// object describes a packet.
func (s *sniffer) object(v *packetView) *packetJSON {
	o := &packetJSON{Time: v.at.Format(timeLayout), Interface: v.iface, SrcMAC: mac(v.src), DstMAC: mac(v.dst),
		Family: v.family, Protocol: "vrrp", Fragments: v.pieces, Truncated: v.cut, Errors: []string{}, Verdict: v.verdict, Missed: v.why}
	for i, field := range []**uint16{&o.VLAN, &o.InnerVLAN} {
		if len(v.vlans) > i {
			*field = &v.vlans[i]
		}
	}
	for _, e := range v.errors {
		o.Errors = append(o.Errors, e.String())
	}
	if s.Judge {
		for _, n := range s.notices {
			o.Notices = append(o.Notices, n.String())
		}
	}
	if !v.ip.Source.IsValid() {
		return o
	}
	o.Src, o.Dst, o.TTL = v.ip.Source.String(), v.ip.Destination.String(), &v.ip.TTL
	if v.carp {
		m := v.message
		o.Protocol, o.CARP = "carp", &carpJSON{VHID: m[1], AdvSkew: m[2], AdvBase: m[5]}
		return o
	}
	o.message(v)
	return o
}

// message describes what can be read of a VRRP message, well formed or not.
func (o *packetJSON) message(v *packetView) {
	m := v.message
	if len(m) == 0 {
		return
	}
	version, kind := m[0]>>4, m[0]&0x0f
	o.Version, o.Type = &version, &kind
	for i, field := range []**uint8{&o.VRID, &o.Priority, &o.Count} {
		if len(m) > i+1 {
			*field = &m[i+1]
		}
	}
	if len(m) < 8 {
		return
	}
	interval := int64(binary.BigEndian.Uint16(m[4:])&0x0fff) * 10
	o.AuthType = "none"
	if version == 2 {
		interval, o.AuthType = int64(m[5])*1000, authName(m[4])
	}
	o.IntervalMS = &interval
	o.Checksum = &checksumJSON{Received: fmt.Sprintf("0x%04x", binary.BigEndian.Uint16(m[6:]))}
	if valid := v.sum == sumRight; v.sum != sumUnknown {
		o.Checksum.Valid = &valid
	}
	if v.sum == sumRight {
		o.Checksum.Form = formName(v)
	}
	o.Addresses = addresses(m, v.ip.Source, len(m)-v.trailer)
	if t := v.hmac(); t != nil {
		o.AuthType = "hmac"
		o.HMAC = &hmacJSON{KeyID: t[1], Seconds: binary.BigEndian.Uint32(t[4:]), Fraction: binary.BigEndian.Uint16(t[8:]), Counter: binary.BigEndian.Uint16(t[10:])}
	}
}

// addresses are those that are there, as many as the message claims.
func addresses(m []byte, src netip.Addr, end int) (list []netip.Addr) {
	size := src.BitLen() / 8
	for rest := m[8:max(8, end)]; len(list) < int(m[3]) && len(rest) >= size; rest = rest[size:] {
		a, _ := netip.AddrFromSlice(rest[:size])
		list = append(list, a)
	}
	return list
}

func formName(v *packetView) string {
	switch {
	case v.message[0]>>4 == 2:
		return "rfc3768"
	case v.form == wire.FormPseudoHeader:
		return "rfc5798"
	default:
		return "rfc9568"
	}
}

// authName names an authentication type of version 2 as the configuration
// does.
func authName(t uint8) string {
	switch ipc.Auth(t) {
	case ipc.AuthNone:
		return "none"
	case ipc.AuthSimple:
		return "rfc2338-simple"
	case ipc.AuthP0:
		return "p0-t8-sha256"
	case ipc.AuthP1:
		return "p1-b8-shake256"
	default:
		return unknownAuth(t)
	}
}

func unknownAuth(t uint8) string { return "type-" + strconv.Itoa(int(t)) }

func mac(b []byte) string {
	if len(b) != macLen {
		return ""
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

// line writes a packet as one line, with more detail as more fields.
func (o *packetJSON) line(b *strings.Builder, detail uint8) {
	b.WriteString(strings.Replace(o.Time, "000Z", "Z", 1))
	word := func(format string, args ...any) { fmt.Fprintf(b, " "+format, args...) }
	if o.Interface != "" {
		word("%s", o.Interface)
	}
	if detail >= 1 && o.SrcMAC != "" {
		word("%s > %s", o.SrcMAC, o.DstMAC)
	}
	for _, tag := range []*uint16{o.VLAN, o.InnerVLAN} {
		if tag != nil {
			word("vlan %d", *tag)
		}
	}
	if o.Src != "" {
		word("%s > %s", o.Src, o.Dst)
	}
	if o.CARP != nil {
		word("CARP vhid %d advbase %d advskew %d", o.CARP.VHID, o.CARP.AdvBase, o.CARP.AdvSkew)
	} else {
		o.words(word, detail)
	}
	if detail >= 1 && o.TTL != nil {
		word("ttl %d", *o.TTL)
	}
	if o.Fragments > 0 {
		word("(of %d fragments)", o.Fragments)
	}
	if o.Truncated {
		word("(cut by the capture)")
	}
	if len(o.Errors) > 0 {
		word("errors: %s", strings.Join(o.Errors, ", "))
	}
	if o.Verdict != "" {
		word("verdict: %s", o.Verdict)
	}
	if o.Missed != "" {
		word("(%s)", o.Missed)
	}
	if len(o.Notices) > 0 {
		word("notices: %s", strings.Join(o.Notices, ", "))
	}
	b.WriteByte('\n')
}

// words writes what is known of the message.
func (o *packetJSON) words(word func(string, ...any), detail uint8) {
	if o.Version == nil {
		word("VRRP, nothing to be read")
		return
	}
	word("VRRPv%d", *o.Version)
	if *o.Type != 1 {
		word("type %d", *o.Type)
	}
	for _, f := range []struct {
		name  string
		value *uint8
	}{{"vrid", o.VRID}, {"priority", o.Priority}} {
		if f.value != nil {
			word("%s %d", f.name, *f.value)
		}
	}
	if o.IntervalMS != nil {
		word("interval %v auth %s", time.Duration(*o.IntervalMS)*time.Millisecond, o.AuthType)
	}
	if detail >= 1 && o.Checksum != nil {
		word("checksum %s", o.Checksum.Received)
		switch valid := o.Checksum.Valid; {
		case valid != nil && *valid:
			word("(%s)", o.Checksum.Form)
		case valid != nil:
			word("(wrong)")
		}
	}
	if h := o.HMAC; h != nil && detail >= 2 {
		word("key %d time %d.%04x counter %d", h.KeyID, h.Seconds, h.Fraction, h.Counter)
	}
	if len(o.Addresses) > 0 {
		word("addresses")
		for _, a := range o.Addresses {
			word("%v", a)
		}
	}
}

// dump writes bytes in hexadecimal, sixteen a line.
func dump(b *strings.Builder, packet []byte) {
	for at := 0; at < len(packet); at += 16 {
		fmt.Fprintf(b, "    %04x  % x\n", at, packet[at:min(at+16, len(packet))])
	}
}
