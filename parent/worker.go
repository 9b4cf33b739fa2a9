package parent

import "golang.org/x/sys/unix"

// worker is a goroutine that does one thing at a time beside the loop, and gives back an R.
// The loop owns the worker; it waits for a descriptor to know when something is done.
type worker[R any] struct {
	fd      int // readable when something is done
	asks    chan<- func() R
	results <-chan R
	busy    bool
}

// startWorker starts the goroutine.
func startWorker[R any]() (w worker[R], err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return w, err
	}
	asks, results := make(chan func() R, 1), make(chan R, 1)
	go func() {
		for do := range asks {
			results <- do()
			_, _ = unix.Write(pipe[1], []byte{0})
		}
	}()
	return worker[R]{fd: pipe[0], asks: asks, results: results}, nil
}

// ask has something done by a worker that is not busy.
func (w *worker[R]) ask(do func() R) {
	w.busy = true
	w.asks <- do
}

// wait waits for the result of what a busy worker does.
func (w *worker[R]) wait() R {
	r := <-w.results
	w.busy = false
	return r
}

// done hears that something is done, and says whether nobody has waited for that yet.
func (w *worker[R]) done() bool {
	var b [1]byte
	_, _ = unix.Read(w.fd, b[:])
	return len(w.results) > 0
}
