package strict

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settings is a file of the kind that the program's own configuration is.
type settings struct {
	Name    string         `yaml:"name"`
	Listen  []listener     `yaml:"listen"`
	Limit   Size           `yaml:"limit"`
	Keep    time.Duration  `yaml:"keep"`
	Ratio   float64        `yaml:"ratio"`
	Trusted []netip.Prefix `yaml:"trusted"`
	Extra   *listener      `yaml:"extra"`
	Labels  map[string]int `yaml:"labels"`
	Unset   string         // no tag: not a key
}

type listener struct {
	Addr  string `yaml:"addr"`
	Proxy bool   `yaml:"proxy"`
	Port  int    `yaml:"port"`
}

func TestDecode(t *testing.T) {
	const text = "\uFEFFname: 12\r\nlisten:\r\n- &one { addr: '127.0.0.1:25', proxy: on }\r\n- *one\r\n" +
		"limit: 25MiB\nkeep: 36d\nratio: 0.5\ntrusted: [127.0.0.0/8, '::1']\nextra: { port: 3 }\nlabels: { b: 2, a: 1 }\n"
	got := settings{Name: "old", Unset: "kept", Extra: &listener{Addr: "default", Port: 1}}
	if f := Decode([]byte(text), "weir.yaml", &got); f != nil {
		t.Fatal(f)
	}
	one := listener{Addr: "127.0.0.1:25", Proxy: true}
	want := settings{
		Name: "12", Listen: []listener{one, one}, Limit: 25 << 20, Keep: 36 * 24 * time.Hour, Ratio: 0.5,
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Extra:   &listener{Addr: "default", Port: 3}, Labels: map[string]int{"a": 1, "b": 2}, Unset: "kept",
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// All findings come at once, each with its place.
func TestDecodeFindings(t *testing.T) {
	const text = "nmae: x\nlisten: [{ addr: [a], prxy: on }, { port: 99999999999999999999 }]\nlimit: 25MB\nkeep: 5\nratio: .inf\ntrusted: [10.0.0.1/8]\nlabels: { a: 1, a: 2, [x]: 3 }\nextra: { proxy: maybe }\n"
	var s settings
	findings := Decode([]byte(text), "weir.yaml", &s)
	want, err := os.ReadFile(filepath.Join("testdata", "decode.want"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range findings {
		got.WriteString(f.String() + "\n")
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if findings.Err() == nil {
		t.Error("no error")
	}
}

func TestDocumentAt(t *testing.T) {
	d, findings := Parse([]byte("listen:\n  - { addr: x }\n  - addr: ${env:HOME}\nname: y\n"), "weir.yaml")
	if findings != nil {
		t.Fatal(findings)
	}
	for path, want := range map[string]string{
		"": "weir.yaml:1:1", "name": "weir.yaml:4:7", "listen[0].addr": "weir.yaml:2:13", "listen[1]": "weir.yaml:3:5",
		"listen[1].addr": "weir.yaml:3:11", "listen[2].addr": "", "listen.addr": "", "name.x": "", "listen[x]": "", "other": "",
	} {
		v, ok := d.At(path)
		if got := v.Src().String(); got != want || ok != (want != "") {
			t.Errorf("At(%q) = %q, %v, want %q", path, got, ok, want)
		}
	}
	if v, _ := d.At("listen[1].addr"); !v.IsSecret() || v.Quoted() != `"${env:HOME}"` {
		t.Errorf("a secret is shown as %s", v.Quoted())
	}
}

func TestScalars(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "36d": 36 * 24 * time.Hour, "1h30m": 90 * time.Minute, "1500ms": 1500 * time.Millisecond,
		"0s": 0, "0": 0, "1w2d": 9 * 24 * time.Hour, "2m5s7ms": 2*time.Minute + 5007*time.Millisecond,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("duration %q = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "m", "5x", "1m1h", "-5m", "1.5h", " 5m", "9999999s", "999999w", "5M"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("duration %q = %v, want an error", text, got)
		}
	}
	for text, want := range map[string]Size{"0": 0, "500B": 500, "256KiB": 256 << 10, "25MiB": 25 << 20, "5GiB": 5 << 30, "10000": 10000, "1TiB": 1 << 40} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("size %q = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "1.5MiB", "25MB", "25M", "-1B", "9999999999TiB", "5Bi", "1iB"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("size %q = %v, want an error", text, got)
		}
	}
	for size, want := range map[Size]string{0: "0B", 500: "500B", 1 << 10: "1KiB", 25 << 20: "25MiB", 1<<20 + 1: "1048577B"} {
		if size.String() != want {
			t.Errorf("%d is written %s, want %s", size, size, want)
		}
	}
}

// A secret is read from the environment or a file, and no message ever shows it.
func TestSecrets(t *testing.T) {
	const secret = "s3cr3tk3y"
	t.Setenv("WEIR_TEST_KEY", secret)
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("  "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"${env:WEIR_TEST_KEY}", "${file:" + path + "}"} {
		var s settings
		config := Decode([]byte("name: "+reference+"\nlimit: "+reference+"\nratio: "+reference+"\nkeep: "+reference+"\n"), "weir.yaml", &s)
		if s.Name != secret || len(config) != 3 {
			t.Errorf("%s: name %q, findings %v", reference, s.Name, config)
		}
		for _, f := range config {
			if strings.Contains(f.String()+f.Line+f.Hint, secret) {
				t.Errorf("a finding shows the secret: %v", f)
			}
		}
	}
	var s settings
	for _, missing := range []string{"${env:WEIR_TEST_NONE}", "${file:/nonexistent/key}", "${file:relative}", "${file:/dev/zero}", "${file:" + t.TempDir() + "}"} {
		if f := Decode([]byte("name: "+missing), "weir.yaml", &s); f.Err() == nil {
			t.Errorf("%s: no error", missing)
		}
	}
}

func TestFindingString(t *testing.T) {
	f := Finding{Src: Src{"a.yaml", 3, 4}, Severity: Warning, Text: "odd", Hint: "even", Line: "\tя\x1bx"}
	const want = "a.yaml:3:4: warning: odd\n  hint: even\n  | \tя\uFFFDx\n  | \t  ^"
	if got := f.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if (Findings{f}).Err() != nil {
		t.Error("a warning is an error")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"score", "about", "header", "until", "id"}
	for word, want := range map[string]string{"scroe": "score", "Score": "score", "headers": "header", "x": "", "publisher": "", "ids": "id", "di": "id"} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
