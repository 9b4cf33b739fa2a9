package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rulesNamed is a bracket in a comment of a script: (S7), (S7, not S6).
var rulesNamed = regexp.MustCompile(`\((?:(?:not )?[ST]\d+(?:, )?)+\)`)

// TestScriptsNameEveryRule: each rule of the timers and of the states has a
// script that shows it and one that shows the opposite not to happen.
func TestScriptsNameEveryRule(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, bracket := range rulesNamed.FindAllString(comments(string(text)), -1) {
			for rule := range strings.SplitSeq(strings.Trim(bracket, "()"), ", ") {
				named[rule] = true
			}
		}
	}
	var rules []string
	for i := range 15 {
		rules = append(rules, fmt.Sprintf("S%d", i+1))
	}
	for i := range 5 {
		rules = append(rules, fmt.Sprintf("T%d", i+1))
	}
	for _, rule := range rules {
		for _, want := range []string{rule, "not " + rule} {
			if !named[want] {
				t.Errorf("testdata: no script names (%s)", want)
			}
		}
	}
}

// comments joins the comments of a script to one line of text.
func comments(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			words = append(words, strings.Fields(comment)...)
		}
	}
	return strings.Join(words, " ")
}
