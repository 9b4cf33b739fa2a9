package ipc

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Program is one that the spawner starts.
type Program byte

// The programs.
const (
	NetprocProgram Program = 'N' // the network process
	ReaderProgram  Program = 'R' // reads the configuration
	KeeperProgram  Program = 'K' // writes the log
)

// Programs are all that the spawner starts, by the names of their files. Of each it has one
// process at a time.
var Programs = map[Program]string{NetprocProgram: "rvrrpd-netproc", ReaderProgram: "rvrrpd-read", KeeperProgram: "rvrrpd-keeper"}

// The spawner is asked three bytes at a time, a request, a Program and a sequence number,
// over a socket that keeps datagrams apart; it answers each request once, with its number.
const (
	// SpawnIdentity is answered with the user id that processes will
	// have, and with the spawner's build as text, whatever the program.
	SpawnIdentity = 'I'
	// SpawnStart comes with SpawnDescriptors descriptors: a pipe for the last
	// words of the process, its two lanes, and its program. One that there is already
	// is ended before. It is answered with a process id.
	SpawnStart = 'S'
	// SpawnVerify is answered with what is wrong with the walls of the
	// process, or nothing.
	SpawnVerify = 'V'
	// SpawnEnd kills the process, and is answered with its wait status.
	SpawnEnd = 'E'
)

// SpawnDescriptors come with SpawnStart, and with nothing else.
const SpawnDescriptors = 4

// SpawnAnswerMax is the length of the longest answer, in bytes.
const SpawnAnswerMax = 9 + 1024

// SpawnAnswer is an answer of the spawner.
type SpawnAnswer struct {
	// Sequence is the request's.
	Sequence byte
	// Number is what the request is answered with.
	Number int32
	// Errno is 0 where the request was fulfilled.
	Errno unix.Errno
	// Text says what is wrong where it was not.
	Text string
}

// DecodeSpawnAnswer reads an answer, whose text is not to be believed.
func DecodeSpawnAnswer(b []byte) (a SpawnAnswer, err error) {
	if len(b) < 9 {
		return a, errors.New("answer is too short")
	}
	number, errno := binary.NativeEndian.Uint32(b[1:]), binary.NativeEndian.Uint32(b[5:])
	return SpawnAnswer{Sequence: b[0], Number: int32(number), Errno: unix.Errno(errno), Text: string(b[9:])}, nil
}
