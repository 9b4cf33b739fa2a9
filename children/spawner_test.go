package children

import (
	"encoding/binary"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// TestLateAnswer: an answer that nobody waits for any more is not taken for that of a later
// request.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	for _, a := range []ipc.SpawnAnswer{{Sequence: 255, Number: 7}, {Sequence: 0, Number: 8}, {Sequence: 1, Number: 9}} {
		b := binary.NativeEndian.AppendUint32([]byte{a.Sequence}, uint32(a.Number))
		if _, err := unix.Write(pair[1], append(b, 0, 0, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	s := Over(pair[0], nil)
	defer s.Close()
	if a, err := s.ask(ipc.SpawnIdentity, 0); err != nil || a.Number != 9 {
		t.Errorf("%+v, %v", a, err)
	}
	request := make([]byte, 8)
	if n, err := unix.Read(pair[1], request); err != nil || n != 3 || request[0] != ipc.SpawnIdentity || request[2] != 1 {
		t.Errorf("request %q, %v", request[:n], err)
	}
}

// TestNotAskedFor: only what was opened at the start is started.
func TestNotAskedFor(t *testing.T) {
	t.Parallel()
	s := Over(-1, map[ipc.Program]int{ipc.NetprocProgram: 3})
	if _, err := s.Spawn(ipc.ReaderProgram); err == nil || err.Error() != "rvrrpd-read: not asked for at the start" {
		t.Error(err)
	}
}

// TestClosedSpawner: who asks after the end finds nothing, and nobody else's descriptor.
func TestClosedSpawner(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	s := Over(pair[0], nil)
	s.Close()
	if s.fd != -1 || s.words != -1 || s.pid != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := s.ask(ipc.SpawnIdentity, 0); err == nil {
		t.Error("a closed spawner answers")
	}
	s.Close()
}
