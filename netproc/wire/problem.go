package wire

// Problem is why bytes are not what they should be. It is an error with a
// fixed set of values, so that whoever counts discarded packets can.
type Problem uint8

// Problems, in the order they are looked for.
const (
	NoProblem       Problem = iota
	ProblemIPHeader         // not a complete IP packet
	ProblemFragment         // a fragment of one
	ProblemVersion          // no VRRP version of this address family
	ProblemType             // not an ADVERTISEMENT
	ProblemLength           // incomplete, or with bytes behind its end
	ProblemChecksum         // wrong checksum
	NumProblems             // one more than the last
)

var problemText = [NumProblems]string{
	NoProblem:       "no problem",
	ProblemIPHeader: "IP packet: incomplete or malformed",
	ProblemFragment: "IP packet: a fragment",
	ProblemVersion:  "VRRP version: unknown for this address family",
	ProblemType:     "VRRP type: not an advertisement",
	ProblemLength:   "VRRP message: wrong length",
	ProblemChecksum: "VRRP checksum: wrong",
}

// Error says what is wrong.
func (p Problem) Error() string {
	if p < NumProblems {
		return problemText[p]
	}
	return "unknown problem"
}
