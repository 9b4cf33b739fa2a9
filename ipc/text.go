package ipc

import "strconv"

// Name is that of a number in a list of words.
func Name(names []string, i uint8, kind string) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return kind + " " + strconv.Itoa(int(i))
}

var codeNames = []string{"", "done", "stale", "busy", "not-held", "link-down", "full", "kernel"}

// String and GoString keep a secret out of every log.
func (Secret) String() string   { return "secret" }
func (Secret) GoString() string { return "ipc.Secret" }

func (c Code) String() string { return Name(codeNames, uint8(c), "code") }

func (t Type) String() string {
	if r, known := RuleOf(t); known {
		return r.Name
	}
	return "type " + strconv.Itoa(int(t))
}
