package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/cmd/confined"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
)

// asProgram makes the test program the one it tests.
const asProgram = "RVRRPD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// TestStartedByHand: without its parent the program does nothing but say so,
// in one line. What it does with its parent is tested where the parent is.
func TestStartedByHand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		stage  string
		args   []string
		code   int
		out    string
		errors string
	}{
		{name: "no stage", code: confined.ExitUsage, errors: "rvrrpd-netproc is started by rvrrpd"},
		{name: "unknown stage", stage: "3", code: confined.ExitUsage, errors: "rvrrpd-netproc is started by rvrrpd"},
		{name: "unknown option", args: []string{"--help"}, code: confined.ExitUsage, errors: "rvrrpd-netproc is started by rvrrpd"},
		{name: "version", args: []string{"--version"}, out: "rvrrpd-netproc " + ipc.ReleaseName() + " build " + ipc.Build()},
		{name: "first stage", stage: "1", code: confined.ExitWalls, errors: "confine: user "},
		{name: "second stage", stage: "2", code: confined.ExitWalls, errors: "enter: pid is "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], tt.args...)
			cmd.Env = append(os.Environ(), asProgram+"=1", sandbox.StageVariable+"="+tt.stage)
			var out, words bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &words
			code := 0
			var ended *exec.ExitError
			if err := cmd.Run(); errors.As(err, &ended) {
				code = ended.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, stream := range []struct{ name, got, want string }{{"output", out.String(), tt.out}, {"errors", words.String(), tt.errors}} {
				lines := strings.Count(stream.got, "\n")
				if !strings.HasPrefix(stream.got, stream.want) || (stream.want == "") != (stream.got == "") || lines > 1 {
					t.Errorf("%s: %q, want one line that begins with %q", stream.name, stream.got, stream.want)
				}
			}
		})
	}
}
