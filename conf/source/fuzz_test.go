package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/rvrrpd/rvrrpd/conf"
)

// FuzzParse holds Parse to its promises on any input: no panic; a
// configuration that survives printing; or errors that are sorted, complete
// and on lines that exist. The scan for lines agrees with the decoder.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", minimal, "debug = 5\n" + minimal + "timers.advert = 3\n[protocols]\nstatic = []\n",
		minimal + "iftype = \"macvlan\"\n[vrouter.timers]\nadvert = 2\n",
		"vrouter = [{ group = 7, interface = \"eth0\", vip = [ '192.0.2.1/24',\n\"192.0.2.2\" ] }] # x\n",
		"a = \"\"\"x\n\\\"\"\"\" \"\"\"\nb.'c d'.\"e\\u0041\" = [[1, 2.5], [{f = 1979-05-27}]]\n[[g.h]]\n[g.h.i]\n",
		"[api]\nusers = [\"a\"]\nsecret = \"hunter2\n", "vip = [\n[[[[",
	} {
		f.Add([]byte(seed), false)
	}
	for _, seed := range []string{
		`{"vrouter": [{"group": 7, "interface": "eth0", "vip": "192.0.2.254",}]}`,
		"{}", `{"vrouter": [{"group": 7, "interface": "eth0", "vip": "192.0.2.254", "timers": null}]}`,
		`{"debug": 1e3, "debug": [true, null, -0, {"a": 18446744073709551616}]}`, `{"a": 1} 2`, `[[[`, `{"\u0000`,
	} {
		f.Add([]byte(seed), true)
	}
	for _, name := range []string{"../rvrrpd.conf", "testdata/rvrrpd.json"} {
		sample, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sample, strings.HasSuffix(name, ".json"))
	}
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		format := conf.TOML
		if asJSON {
			format = conf.JSON
		} else {
			checkScan(t, data)
		}
		c, err := Parse("f", data, format)
		if err == nil {
			checkConfig(t, c)
			return
		}
		var errs Errors
		if c != nil || !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("configuration %v, error %v", c, err)
		}
		checkErrors(t, data, errs)
	})
}

func checkConfig(t *testing.T, c *conf.Config) {
	t.Helper()
	var b bytes.Buffer
	if err := Print(c, &b); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("printed", b.Bytes(), conf.TOML)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Bytes())
	}
	for i := range c.Routers { // which are printed as names
		c.Routers[i].DefaultDevice = false
	}
	c.Warnings, again.Warnings = nil, nil // of how the file was written
	if !reflect.DeepEqual(c, again) {
		t.Errorf("%+v, printed and parsed again %+v", c, again)
	}
	checkReported(t, c)
}

// checkReported: what a file may say is what the parent takes from who has read it.
func checkReported(t *testing.T, c *conf.Config) {
	t.Helper()
	var reported conf.Config
	again := func(what, into any) {
		text, err := json.Marshal(what)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again(c, &reported)
	again(c.Routes, &reported.Routes)
	again(c.Routers, &reported.Routers)
	for i, secret := range reported.Secrets() {
		*secret = *c.Secrets()[i]
	}
	if !reflect.DeepEqual(c, &reported) {
		t.Errorf("%+v, reported %+v", c, &reported)
	}
	for i := range reported.Routers {
		if h := reported.Routers[i].HMAC; h != nil {
			for k := range h.Keys {
				if h.Keys[k].Source != "" { // Parse leaves it empty
					h.Keys[k].Value = make([]byte, conf.MinKey)
				}
			}
		}
	}
	if err := reported.Check(); err != nil {
		t.Errorf("%v: %+v", err, &reported)
	}
}

func checkErrors(t *testing.T, data []byte, errs Errors) {
	t.Helper()
	if !sort.SliceIsSorted(errs, func(i, j int) bool { return errs[i].Line < errs[j].Line }) {
		t.Errorf("errors are not sorted: %v", errs)
	}
	lines := 1 + bytes.Count(data, []byte{'\n'})
	for _, e := range errs {
		if e.File != "f" || e.Line < 1 || e.Line > lines || e.Problem == "" {
			t.Errorf("incomplete error %#v, %d lines", e, lines)
		}
		if strings.ContainsAny(e.Error(), "\n\x1b\x00") {
			t.Errorf("control character in error %q", e.Error())
		}
	}
}

// checkScan compares the scan for lines with the decoder.
func checkScan(t *testing.T, data []byte) {
	t.Helper()
	text := string(bytes.TrimPrefix(data, []byte("\ufeff")))
	marks, deep := scanTOML(text)
	if deep > 0 {
		return
	}
	var values map[string]any
	if invalidUTF8(data) == 0 && toml.Unmarshal([]byte(text), &values) == nil {
		sameShape(t, "", values, marks)
	}
}
