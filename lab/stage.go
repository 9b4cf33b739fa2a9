package lab

import (
	"fmt"
	"os"
	"slices"
	"sync"
)

// Stage is a TB for a program that is no test, as the demo: what fails ends what it does, and
// what was made is removed.
type Stage struct {
	name     string
	mu       sync.Mutex
	cleanups []func()
	failures []string
	// over is set when the program ends: whoever would go on waits for that.
	over bool
}

// Stopped is what Fatalf panics with.
type Stopped struct{}

// NewStage is one for a program of this name.
func NewStage(name string) *Stage { return &Stage{name: name} }

func (s *Stage) Helper()      {}
func (s *Stage) Name() string { return s.name }

// Logf says nothing: the program tells what there is to tell.
func (s *Stage) Logf(string, ...any) {}

// Errorf notes a failure.
func (s *Stage) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

// Fatalf notes a failure and panics with Stopped.
func (s *Stage) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	panic(Stopped{})
}

// Cleanup runs f at the end, last things first.
func (s *Stage) Cleanup(f func()) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		select {}
	}
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// End keeps whoever is on it from doing more, and cleans up.
func (s *Stage) End() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.Clean()
}

// TempDir makes a directory that is removed at the end.
func (s *Stage) TempDir() string {
	dir, err := os.MkdirTemp("", "rvrrpd-"+s.name+"-")
	if err != nil {
		s.Fatalf("%v", err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Clean runs what Cleanup was given, each once, whoever asks.
func (s *Stage) Clean() {
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		f := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		f()
	}
}

// Failures are what has failed, in order.
func (s *Stage) Failures() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.failures)
}
