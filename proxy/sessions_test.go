package proxy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"weir/filters"
	"weir/filters/auth"
	"weir/filters/dnsbl"
	"weir/filters/lookup"
	"weir/filters/manners"
	"weir/filters/pattern"
	"weir/filters/who"
	"weir/proxy/backend/sink"
	"weir/rules"
)

// TestSessions plays testdata/sessions/*.txtar: whole dialogues with real parts on loopback. A session's files are
//
//	front       settings, one a line: ip ADDR (the client's), tls, shadow, relay DOMAIN, recipients N, size BYTES, mend,
//	            pause DURATION, relays NETWORK
//	rules.yaml  the rules; without the file, none
//	zone        what the DNS says; without the file it is offline
//	backend     what the backend says otherwise: STAGE REPLY (banner, ehlo, mail, rcpt, data, dot), RCPT ADDRESS REPLY, or
//	            OFFER KEYWORD besides the usual; \n in a reply is a line break
//	dialogue    C: a line of the client    C+ "bytes" a Go string, as it is    TLS the handshake
//	            S: a line of ours, an expression that must match it whole    END the connection ends
//	mail        the message as the backend must have it, without our headers; `none` if it must have none
//	octets      the same as a Go string, where it is no text
//	headers     expressions, each of which must match a line of our headers, in order
//	record      of the last record: PATH VALUE, such as verdict.action tag; `-` for a value that is not there
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("../testdata/sessions/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, txtar.Parse(text))
		})
	}
}

// play is one session.
func play(t *testing.T, a *txtar.Archive) {
	part := map[string]string{}
	for _, f := range a.Files {
		part[f.Name] = string(f.Data)
	}
	gen := loadGeneration(t, part)
	behind := script(part["backend"])
	f := newFront(t, func(f *front) {
		f.sink.Set(sink.Script{Offers: behind.Offers})
		f.Current = always(gen)
		f.listener.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		for _, line := range lines(part["front"]) {
			f.set(line)
		}
	})
	f.sink.Set(behind)
	c := f.connect()
	c.send(proxyHeader(part["front"]))
	for _, line := range lines(part["dialogue"]) {
		c = c.step(line)
	}
	c.conn.Close()
	f.until("end of the session", func() bool { return f.Active() == 0 })
	f.compare(part)
}

func lines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

// loadGeneration makes the generation that the files rules.yaml and zone say.
func loadGeneration(t *testing.T, part map[string]string) *Generation {
	t.Helper()
	text := part["rules.yaml"]
	if text == "" {
		text = "version: 1\nthresholds: { tag: 6, reject: 15 }\n"
	}
	resolver := lookup.Offline()
	if zone, ok := part["zone"]; ok {
		z, err := lookup.ParseZone(strings.NewReader(zone), "zone")
		if err != nil {
			t.Fatal(err)
		}
		resolver = lookup.FromZone(z)
	}
	spf, behaviour := auth.NewSPF(resolver), manners.New()
	set, findings := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml", rules.Known{spf.Name: spf.Symbols, behaviour.Name: behaviour.Symbols})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	patterns, err := pattern.New(set.Patterns)
	if err != nil {
		t.Fatal(err)
	}
	return generation(set, filters.NewPipeline(2*time.Second, append(slices.Concat(dnsbl.New(set.Zones, resolver, nil), who.New(set.Who)), spf, behaviour, patterns)...))
}

// set applies a line of the file front.
func (f *front) set(line string) {
	key, value, _ := strings.Cut(line, " ")
	n, _ := strconv.Atoi(value)
	switch key {
	case "ip": // said by the PROXY header
	case "tls":
		withTLS(f.t, StartTLS)(f)
	case "shadow":
		f.Shadow = true
	case "relay":
		f.Relay = func(domain string) bool { return domain == value }
	case "mend":
		f.Dialogue.Mend = true
	case "relays":
		f.Current().Checks.Relays = []netip.Prefix{netip.MustParsePrefix(value)}
	case "pause":
		f.Dialogue.GreetPause, _ = time.ParseDuration(value)
	case "recipients":
		f.Limits.Recipients = n
	case "size":
		f.Limits.MessageSize = int64(n)
	default:
		f.t.Fatalf("front: unknown setting %q", line)
	}
}

func proxyHeader(settings string) string {
	ip := "192.0.2.1"
	for _, line := range lines(settings) {
		if v, ok := strings.CutPrefix(line, "ip "); ok {
			ip = v
		}
	}
	return "PROXY TCP4 " + ip + " 127.0.0.1 40000 25\r\n"
}

// script reads the file backend.
func script(text string) sink.Script {
	s := sink.Script{On: map[sink.Stage]sink.Action{}}
	byRcpt := map[string]string{}
	for _, line := range lines(text) {
		stage, reply, _ := strings.Cut(line, " ")
		if stage == "OFFER" {
			s.Offers = append(append(s.Offers, reply), sink.Offers...)
			continue
		}
		reply = strings.ReplaceAll(reply, `\n`, "\n")
		if stage == "RCPT" {
			address, reply, _ := strings.Cut(reply, " ")
			byRcpt[address] = reply
			continue
		}
		s.On[sink.Stage(stage)] = sink.Action{Kind: sink.Answer, Text: reply}
	}
	s.Rcpt = func(path string) string { return byRcpt[path] }
	return s
}

// step plays one line of a dialogue.
func (c *talker) step(line string) *talker {
	c.t.Helper()
	switch {
	case strings.HasPrefix(line, "C:"):
		c.send(strings.TrimPrefix(line[2:], " ") + "\r\n")
	case strings.HasPrefix(line, "C+ "):
		bytes, err := strconv.Unquote(line[3:])
		if err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		c.send(bytes)
	case strings.HasPrefix(line, "S: "):
		got, _ := c.r.ReadString('\n') // an end is an empty line, which matches nothing
		if !regexp.MustCompile(`^(?:` + line[3:] + `)\r\n$`).MatchString(got) {
			c.t.Fatalf("the server says %q, want %s", got, line[3:])
		}
	case line == "TLS":
		return c.encrypted()
	case line == "END":
		c.expect("")
	default:
		c.t.Fatalf("dialogue: %q", line)
	}
	return c
}

// compare looks at what the backend and the operator have got.
func (f *front) compare(part map[string]string) {
	f.t.Helper()
	taken := f.taken()
	if want, ok := part["octets"]; ok {
		want, err := strconv.Unquote(strings.TrimSpace(want))
		if err != nil || len(taken) == 0 {
			f.t.Fatalf("octets: %v; %d messages", err, len(taken))
		}
		if got := delivered(f.t, taken[len(taken)-1]); got != want {
			f.t.Errorf("the backend has %q, want %q", got, want)
		}
	}
	if want, ok := part["mail"]; ok && strings.TrimSpace(want) == "none" {
		if len(taken) != 0 {
			f.t.Errorf("the backend has %q", taken[0].Data)
		}
	} else if ok {
		f.until("message at the backend", func() bool { taken = f.taken(); return len(taken) > 0 })
		last := taken[len(taken)-1]
		if got := strings.ReplaceAll(delivered(f.t, last), "\r\n", "\n"); got != want {
			f.t.Errorf("the backend has\n%s\nwant\n%s", got, want)
		}
		f.compareHeaders(string(last.Data), lines(part["headers"]))
	}
	if want := lines(part["record"]); len(want) > 0 {
		f.until("record", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.records) > 0 })
		f.mu.Lock()
		defer f.mu.Unlock()
		compareRecord(f.t, f.records[len(f.records)-1], want)
	}
}

func (f *front) compareHeaders(message string, want []string) {
	f.t.Helper()
	rest := strings.Split(message, "\r\n")
	for _, expression := range want {
		re := regexp.MustCompile("^(?:" + expression + ")$")
		found := false
		for i, line := range rest {
			if re.MatchString(line) {
				rest, found = rest[i+1:], true
				break
			}
		}
		if !found {
			f.t.Errorf("no header line %s in %.600q", expression, message)
		}
	}
}

func compareRecord(t testing.TB, record any, want []string) {
	t.Helper()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	for _, line := range want {
		path, value, _ := strings.Cut(line, " ")
		if got := fmt.Sprint(at(tree, strings.Split(path, "."))); got != value {
			t.Errorf("record: %s is %s, want %s\n%s", path, got, value, text)
		}
	}
}

// at finds a value in decoded JSON; "-" if there is none.
func at(tree any, path []string) any {
	for _, key := range path {
		switch node := tree.(type) {
		case map[string]any:
			v, ok := node[key]
			if !ok {
				return "-"
			}
			tree = v
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(node) {
				return "-"
			}
			tree = node[i]
		default:
			return "-"
		}
	}
	return tree
}
