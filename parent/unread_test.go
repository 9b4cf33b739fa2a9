package parent

import (
	"io"
	"sync"
	"testing"

	"github.com/rvrrpd/rvrrpd/parent/logger"
)

// unread is a log that nobody reads: what finds no room in it is lost.
var unread = sync.OnceValue(func() *logger.Logger {
	l, err := logger.New()
	if err != nil {
		panic(err)
	}
	return l
})

// ownLog gives a daemon such a log of its own, where it says whom the keeper is to ask.
func (d *daemon) ownLog(t *testing.T) {
	t.Helper()
	l, err := logger.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(io.Discard) })
	d.keeper = l
}
