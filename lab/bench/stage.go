package main

import (
	"fmt"
	"os"
	"sync"
)

// stage is the lab's TB for one measurement: a failure ends it, and no other.
type stage struct {
	mu       sync.Mutex
	cleanups []func()
	failures []string
	// over is set when the program ends: whoever would go on waits for that.
	over bool
}

// stopped is what Fatalf panics with.
type stopped struct{}

func (s *stage) Helper()      {}
func (s *stage) Name() string { return "bench" }

// Logf says nothing: the table does.
func (s *stage) Logf(string, ...any) {}

// Errorf notes a failure.
func (s *stage) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

// Fatalf notes a failure and ends the measurement.
func (s *stage) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	panic(stopped{})
}

// Cleanup runs f at the end, last things first.
func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		select {}
	}
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// end keeps a measurement from doing more, and cleans up.
func (s *stage) end() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.clean()
}

// TempDir makes a directory that is removed at the end.
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "rvrrpd-bench-")
	if err != nil {
		s.Fatalf("%v", err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// clean runs what Cleanup was given, each once, whoever asks.
func (s *stage) clean() {
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

// failure is the first thing that went wrong; "" for nothing.
func (s *stage) failure() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) == 0 {
		return ""
	}
	return s.failures[0]
}
