package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"

	"golang.org/x/crypto/sha3"
)

// Type is the authentication type of a VRRPv2 message.
type Type uint8

// Authentication types: those of RFC 2338 §5.3.6 that we speak, and rVRRPd's.
const (
	None   Type = 0
	Simple Type = 1   // the secret in clear text
	P0     Type = 250 // p0-t8-sha256: HMAC-SHA256
	P1     Type = 251 // p1-b8-shake256: SHAKE256 of secret and message
)

// DataLen is the length of the authentication data.
const DataLen = 8

// checksumAt is where the checksum of a message is, two bytes.
const checksumAt = 6

// Legacy makes and verifies authentication data with one secret. It is not
// safe for concurrent use.
type Legacy struct {
	kind   Type
	secret []byte
	mac    hash.Hash      // P0
	shake  sha3.ShakeHash // P1
	sum    [sha256.Size]byte
}

// NewLegacy returns an authenticator of a type; the secret may be empty and of
// any length, and is bytes, whatever they mean. It is not copied: Wipe does away
// with it.
func NewLegacy(kind Type, secret []byte) *Legacy {
	l := &Legacy{kind: kind, secret: secret}
	switch kind {
	case P0:
		l.mac = hmac.New(sha256.New, secret)
	case P1:
		l.shake = sha3.NewShake256()
	}
	return l
}

// Wipe overwrites the secret, as far as it is not in the state of a hash.
func (l *Legacy) Wipe() { clear(l.secret) }

// Type is the authentication type.
func (l *Legacy) Type() Type { return l.kind }

// Data returns the authentication data of a message: all of it up to the
// authentication data; its checksum counts as zero.
func (l *Legacy) Data(message []byte) (data [DataLen]byte) {
	head, tail := message[:checksumAt], message[checksumAt+2:]
	switch l.kind {
	case Simple:
		copy(data[:], l.secret)
	case P0:
		l.mac.Reset()
		l.mac.Write(head)
		l.mac.Write(zeros[:2])
		l.mac.Write(tail)
		copy(data[:], l.mac.Sum(l.sum[:0]))
	case P1:
		l.shake.Reset()
		l.shake.Write(l.secret)
		l.shake.Write(head)
		l.shake.Write(zeros[:2])
		l.shake.Write(tail)
		l.shake.Read(l.sum[:DataLen])
		copy(data[:], l.sum[:DataLen])
	}
	return data
}

// Verify says whether a whole message, its authentication data included, was
// made with our secret. The time it takes does not hang on the data. A
// message of type None is not to be verified: its data mean nothing.
func (l *Legacy) Verify(message []byte) bool {
	if len(message) < checksumAt+2+DataLen {
		return false
	}
	end := len(message) - DataLen
	data := l.Data(message[:end])
	return subtle.ConstantTimeCompare(data[:], message[end:]) == 1
}

// zeros stand for fields that count as zero.
var zeros [16]byte
