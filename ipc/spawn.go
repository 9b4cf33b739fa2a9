package ipc

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// The spawner is asked one byte at a time, over a socket that keeps datagrams
// apart; it answers each request once.
const (
	// SpawnIdentity is answered with the user id that the network process will
	// have, and with the spawner's build as text.
	SpawnIdentity = 'I'
	// SpawnStart comes with SpawnDescriptors descriptors: a pipe for the last
	// words of the network process, its two lanes, and its program. It is
	// answered with a process id.
	SpawnStart = 'S'
	// SpawnVerify is answered with what is wrong with the walls of the network
	// process, or nothing.
	SpawnVerify = 'V'
	// SpawnEnd kills the network process, and is answered with its wait status.
	SpawnEnd = 'E'
)

// SpawnDescriptors come with SpawnStart, and with nothing else.
const SpawnDescriptors = 4

// SpawnAnswerMax is the length of the longest answer, in bytes.
const SpawnAnswerMax = 8 + 1024

// SpawnAnswer is an answer of the spawner.
type SpawnAnswer struct {
	// Number is what the request is answered with.
	Number int32
	// Errno is 0 where the request was fulfilled.
	Errno unix.Errno
	// Text says what is wrong where it was not.
	Text string
}

// DecodeSpawnAnswer reads an answer, whose text is not to be believed.
func DecodeSpawnAnswer(b []byte) (a SpawnAnswer, err error) {
	if len(b) < 8 {
		return a, errors.New("answer is too short")
	}
	number, errno := binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])
	return SpawnAnswer{Number: int32(number), Errno: unix.Errno(errno), Text: string(b[8:])}, nil
}
