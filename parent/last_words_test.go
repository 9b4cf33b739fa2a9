package parent

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/rights"
	"golang.org/x/sys/unix"
)

// TestLastWordsAreOneLine: what a child leaves behind is one line, however many
// it makes of it.
func TestLastWordsAreOneLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := fuzzed()
	d.log = slog.New(slog.NewTextHandler(&log, nil))
	d.spawner = deathbed(t, bytes.Repeat([]byte("x\n"), 64<<10), 0)
	if err := d.spawn(); err != nil {
		t.Fatal(err)
	}
	d.end()
	if n := strings.Count(log.String(), "network process says"); n != 1 || log.Len() < 4<<10 || log.Len() > 24<<10 {
		t.Errorf("%d lines, %d bytes", n, log.Len())
	}
}

// deathbed is a spawner whose children write this before they die, and end so.
func deathbed(t *testing.T, words []byte, end unix.WaitStatus) *children.Spawner {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer unix.Close(pair[1])
		b, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*ipc.SpawnDescriptors))
		for {
			n, oobn, _, _, err := unix.Recvmsg(pair[1], b, oob, 0)
			if err != nil || n == 0 {
				return
			}
			fds, _ := rights.Of(oob[:oobn])
			for i, fd := range fds {
				if i == 0 {
					unix.Write(fd, words)
				}
				unix.Close(fd)
			}
			unix.Write(pair[1], append(binary.NativeEndian.AppendUint32([]byte{b[2]}, uint32(end)), 0, 0, 0, 0))
		}
	}()
	s := children.Over(pair[0], map[ipc.Program]int{ipc.NetprocProgram: 0})
	t.Cleanup(func() { s.Close() })
	return s
}
