package source_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 17)
	for _, test := range []struct {
		name   string
		format conf.Format
		text   string
		want   string
	}{
		{"value that is none", conf.TOML, "debug = 1\n\npid = yes\n", `f:3: TOML syntax: expected value but found "yes" instead`},
		{"missing equals sign", conf.TOML, "debug 1\n", `f:1: TOML syntax: expected '.' or '=', but got '1' instead`},
		{"open string", conf.TOML, "debug = 1\npid = \"a\n", `f:2: TOML syntax: strings cannot contain newlines`},
		{"line end in a key", conf.TOML, "\ndebug\n= 1", `f:2: TOML syntax: expected '.' or '=', but got '\n' instead`},
		{"line end in an array header", conf.TOML, "\n[[vrouter\n]]", `f:2: TOML syntax: expected '.' or ']' to end table name, but got '\n' instead`},
		{"line end in brackets", conf.TOML, "\n[[vrouter]\n]", `f:2: TOML syntax: expected end of table array name delimiter ']', but got '\n' instead`},
		{"line end after a value", conf.TOML, "vrouter = [1\n2]\n", `f:2: TOML syntax: expected a comma (',') or array terminator (']'), but got '2'`},
		{"open array", conf.TOML, "vrouter = [\n", `f:1: TOML syntax: unexpected EOF; expected value`},
		{"line end in a message", conf.TOML, "[vrouter\n", `f:1: TOML syntax: expected '.' or ']' to end table name, but got '\n' instead`},
		{"key twice", conf.TOML, least + "group = 2\n", `f:5: vrouter.group: has already been defined; accepted: each key once`},
		{"table twice", conf.TOML, "[api]\n[protocols]\n[api]\n", `f:3: api: has already been defined; accepted: each key once`},
		{"integer beyond 64 bits", conf.TOML, "debug = 99999999999999999999\n", `f:1: TOML syntax: 99999999999999999999 is out of range for int64`},
		{"not UTF-8", conf.TOML, "debug = 1\npid = \"\xff\"\n", `f:2: is not valid UTF-8; accepted: UTF-8 text`},
		{"UTF-16", conf.TOML, "\xff\xfed\x00", `f:1: is not valid UTF-8; accepted: UTF-8 text`},
		{"nested arrays", conf.TOML, "\nx = " + deep, `f:2: is nested too deeply; accepted: at most 16 levels`},
		{"nested tables", conf.TOML, "x." + strings.Repeat("a.", 20) + "a = 1", `f:1: is nested too deeply; accepted: at most 16 levels`},
		{"nested headers", conf.TOML, "[x." + strings.Repeat("a.", 20) + "a]", `f:1: is nested too deeply; accepted: at most 16 levels`},

		{"empty", conf.JSON, "", `f:1: JSON syntax: unexpected end of JSON input`},
		{"two trailing commas", conf.JSON, "{\n\"debug\": 1,,\n}", `f:2: JSON syntax: invalid character ',' looking for beginning of object key string`},
		{"trailing data", conf.JSON, "{}\n{}", `f:2: JSON syntax: invalid character '{' after top-level value`},
		{"open object", conf.JSON, "{\n\n ", `f:3: JSON syntax: unexpected end of JSON input`},
		{"no object", conf.JSON, "\n[]", `f:2: is an array; accepted: an object`},
		{"not UTF-8", conf.JSON, "{\"pid\":\n\"\xff\"}", `f:2: is not valid UTF-8; accepted: UTF-8 text`},
		{"nested arrays", conf.JSON, "{\n\"x\":" + deep + strings.Repeat("]", 17) + "}", `f:2: is nested too deeply; accepted: at most 16 levels`},

		{"unknown format", "yaml", "", `f: format "yaml" is unknown; accepted: "toml", "json"`},
		{"too long", conf.TOML, strings.Repeat("\n", 1<<20+1), `f: is too long; accepted: at most 1048576 bytes`},
	} {
		t.Run(string(test.format)+" "+test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, test.text, test.format, test.want)
		})
	}
}

func TestJSONErrors(t *testing.T) {
	t.Parallel()
	wantErrors(t, `{
  "debug": 1e0,
  "vrouter": [
    {
      "group": 7,
      "group": 8, "interface": "eth0",
      "vip": [
        "192.0.2.1",
        null
      ],
      "priority": 123456789012345678901234567890, "netdrv": -99999999999999999999,
      "timers": {
        "advert":
          -1
      }
    }, null,
    []
  ],
  "user": true
}`, conf.JSON,
		`f:2: debug: is a float; accepted: an integer 0..5`,
		`f:6: vrouter[1].group: is given twice, first on line 5; accepted: each key once`,
		`f:9: vrouter[1].vip[2]: is null; accepted: `+vips,
		`f:11: vrouter[1].netdrv: is an integer; accepted: "libnl", "ioctl", "ioctls"`,
		`f:11: vrouter[1].priority: 123456789012345678901234567890 is out of range; accepted: 1..255`,
		`f:13: vrouter[1].timers.advert: -1 is not a valid value; accepted: 1..255 in whole seconds with version = 2; 0.01..40.95 in steps of 0.01 with version = 3 and "2+3"`,
		`f:16: vrouter[2]: is null; accepted: one or more [[vrouter]]`,
		`f:17: vrouter[3]: is an array; accepted: one or more [[vrouter]]`,
		`f:19: user: is a boolean; accepted: a string: `+users,
	)
}

// Whatever is wrong with a secret, or around it, no error repeats it.
func TestNoErrorRepeatsASecret(t *testing.T) {
	t.Parallel()
	const secret = "qx7zqx7zqx"
	for _, test := range []struct {
		name   string
		format conf.Format
		text   string
	}{
		{"valid", conf.TOML, least + "auth_type = \"none\"\nauth_secret = \"" + secret + `"`},
		{"not quoted", conf.TOML, least + `auth_secret = ` + secret},
		{"key misspelt, not quoted", conf.TOML, least + `auth_secert = ` + secret},
		{"key misspelt", conf.TOML, least + `auth_secert = "` + secret + `"`},
		{"bad escape after it", conf.TOML, least + `auth_secret = "` + secret + `\q"`},
		{"bad code point after it", conf.TOML, least + `auth_secret = "` + secret + `\uZZZZ"`},
		{"bad hexadecimal after it", conf.TOML, least + `auth_secret = "` + secret + `\xZZ"`},
		{"bad code point on a line like a key", conf.TOML, least + "auth_secret = \"\"\"" + secret + "\npriority = \\uZZZZ\"\"\""},
		{"open string", conf.TOML, least + `auth_secret = "` + secret},
		{"open long string", conf.TOML, least + `auth_secret = """` + secret},
		{"no comma", conf.TOML, `vrouter = [{ auth_secret = "a" ` + secret + `}]`},
		{"inline, not quoted", conf.TOML, `vrouter = [{ auth_secret = ` + secret + `}]`},
		{"no equals sign", conf.TOML, least + `auth_secret "` + secret + `"`},
		{"twice", conf.TOML, least + strings.Repeat(`auth_secret = "`+secret+"\"\n", 2)},
		{"in a list", conf.TOML, least + `auth_secret = ["` + secret + `"]`},
		{"users", conf.TOML, least + `[api]` + "\n" + `users = "` + secret + `"`},
		{"users, not quoted", conf.TOML, least + `[api]` + "\nusers = [\n" + secret + "]"},
		{"secret of the api", conf.TOML, least + `[api]` + "\n" + `secret = ["` + secret + `"]`},
		{"valid", conf.JSON, `{"vrouter": [{"auth_secret": "` + secret + `"}]}`},
		{"not quoted", conf.JSON, `{"vrouter": [{"auth_secret": ` + secret + `}]}`},
		{"open", conf.JSON, `{"vrouter": [{"auth_secret": "` + secret},
		{"bad escape", conf.JSON, `{"vrouter": [{"auth_secret": "` + secret + `\q"}]}`},
		{"in a list", conf.JSON, `{"vrouter": [{"auth_secret": ["` + secret + `"]}]}`},
	} {
		t.Run(string(test.format)+" "+test.name, func(t *testing.T) {
			t.Parallel()
			_, err := source.Parse("f", []byte(test.text), test.format)
			if err == nil {
				t.Fatal("no error")
			}
			for i := range len(secret) - 2 {
				if piece := secret[i : i+3]; strings.Contains(err.Error(), piece) {
					t.Fatalf("%q stands in: %v", piece, err)
				}
			}
		})
	}
	// A number is a secret, too.
	for _, value := range []string{"4242424242", "4242.4242", "424242424242424242424242", "0424242", "4242-42-42", "+0x4242", "4242_"} {
		_, err := source.Parse("f", []byte(least+"auth_secret = "+value+"\n"), conf.TOML)
		if err == nil || strings.Contains(err.Error(), "4242") {
			t.Errorf("auth_secret = %s: %v", value, err)
		}
	}
}

// A file of the greatest length takes a bounded time, whatever is in it.
func TestHugeFiles(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for _, test := range []struct {
		name   string
		format conf.Format
		text   string
	}{
		{"array openers", conf.TOML, "x=" + fill("[")[2:]},
		{"table openers", conf.TOML, "x=" + fill("{a=")[2:]},
		{"dots", conf.TOML, fill("a.")},
		{"header openers", conf.TOML, fill("[")},
		{"headers", conf.TOML, fill("[[a]]\n")},
		{"quotes", conf.TOML, fill("\"")},
		{"routers", conf.TOML, fill("[[vrouter]]\n")},
		{"routers of one group", conf.JSON, `{"vrouter":[` + strings.Repeat(`{"group":1,"interface":"e","iftype":"macvlan"},`, 22000) + `{}]}`},
		{"array openers", conf.JSON, fill("[")},
		{"object openers", conf.JSON, fill(`{"a":`)},
		{"arrays", conf.JSON, `{"x":` + fill("[")[:9000] + strings.Repeat("]", 9000) + "}"},
	} {
		t.Run(string(test.format)+" "+test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := source.Parse("f", []byte(test.text), test.format)
			var errs source.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("error %v, want errors", err)
			}
			if d := time.Since(start); d > time.Minute {
				t.Errorf("took %v", d)
			}
		})
	}
}
