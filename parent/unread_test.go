package parent

import (
	"sync"

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
