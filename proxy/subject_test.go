package proxy

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

func joined(pieces [][]byte) string { return string(bytes.Join(pieces, nil)) }

func TestMarkedSubjects(t *testing.T) {
	const ascii, wide = "[SPAM]", "[СПАМ]"
	encoded := word(wide)
	long := strings.Repeat("long ", 20) + "subject"
	for _, c := range []struct{ name, mark, in, want string }{
		{"plain", ascii, "Subject: lunch\r\n\r\nb\r\n", "Subject: [SPAM] lunch\r\n\r\nb\r\n"},
		{"no blank", ascii, "Subject:lunch\r\n\r\n", "Subject: [SPAM] lunch\r\n\r\n"},
		{"case and blanks", ascii, "A: b\r\nSUBJECT \t:  two  blanks\r\n\tfolded\r\nB: c\r\n\r\n", "A: b\r\nSUBJECT \t: [SPAM]  two  blanks\r\n\tfolded\r\nB: c\r\n\r\n"},
		{"empty", ascii, "Subject:\r\n\r\n", "Subject: [SPAM]\r\n\r\n"},
		{"blank", ascii, "Subject: \r\n\r\n", "Subject: [SPAM] \r\n\r\n"},
		{"folded at once", ascii, "Subject:\r\n lunch\r\n\r\n", "Subject: [SPAM]\r\n lunch\r\n\r\n"},
		{"too long", ascii, "Subject: " + long + "\r\n\r\n", "Subject: [SPAM]\r\n " + long + "\r\n\r\n"},
		{"too long without a blank", ascii, "Subject:" + long + "\r\n\r\n", "Subject: [SPAM]\r\n " + long + "\r\n\r\n"},
		{"encoded", ascii, "Subject: =?utf-8?B?w6lsYW4=?=\r\n\r\n", "Subject: [SPAM] =?utf-8?B?w6lsYW4=?=\r\n\r\n"},
		{"8-bit", ascii, "Subject: Gr\xfc\xdfe\r\n\r\n", "Subject: [SPAM] Gr\xfc\xdfe\r\n\r\n"},
		{"mark beyond ASCII", wide, "Subject: lunch\r\n\r\n", "Subject: " + encoded + " lunch\r\n\r\n"},
		{"both beyond ASCII", wide, "Subject: =?utf-8?B?w6lsYW4=?=\r\n\r\n", "Subject: " + word(wide+" ") + " =?utf-8?B?w6lsYW4=?=\r\n\r\n"},
		{"several", ascii, "Subject: a\r\nsubject: b\r\n\r\nSubject: c\r\n", "Subject: [SPAM] a\r\nsubject: [SPAM] b\r\n\r\nSubject: c\r\n"},
		{"marked before", ascii, "Subject: [SPAM] lunch\r\n\r\n", "Subject: [SPAM] lunch\r\n\r\n"},
		{"marked before, encoded", wide, "Subject: " + word("[СПАМ] обед") + "\r\n\r\n", "Subject: " + word("[СПАМ] обед") + "\r\n\r\n"},
		{"one of two marked before", ascii, "Subject: [SPAM] a\r\nSubject: b\r\n\r\n", "Subject: [SPAM] a\r\nSubject: [SPAM] b\r\n\r\n"},
		{"an answer to a marked one", ascii, "Subject: Re: [SPAM] a\r\n\r\n", "Subject: [SPAM] Re: [SPAM] a\r\n\r\n"},
		{"none", ascii, "From: a@b\r\n\r\nSubject: in the body\r\n", "Subject: [SPAM]\r\nFrom: a@b\r\n\r\nSubject: in the body\r\n"},
		{"none, beyond ASCII", wide, "From: a@b\r\n\r\n", "Subject: " + encoded + "\r\nFrom: a@b\r\n\r\n"},
		{"no header", ascii, "\r\nb\r\n", "Subject: [SPAM]\r\n\r\nb\r\n"},
		{"nothing", ascii, "", "Subject: [SPAM]\r\n"},
		{"begins within a field", ascii, " rest: x\r\nSubject: a\r\n\r\n", " rest: x\r\nSubject: [SPAM] a\r\n\r\n"},
		{"what may be the body", ascii, "no field\r\nSubject: a\r\n\r\n", "Subject: [SPAM]\r\nno field\r\nSubject: a\r\n\r\n"},
		{"without an end", ascii, "Subject: a", "Subject: [SPAM] a"},
		{"other fields", ascii, "X-Subject: a\r\nSubjects: b\r\nSubject: c\r\n\r\n", "X-Subject: a\r\nSubjects: b\r\nSubject: [SPAM] c\r\n\r\n"},
	} {
		pieces, n := marked([][]byte{[]byte(c.in)}, c.mark)
		if got := joined(pieces); got != c.want {
			t.Errorf("%s: got\n%q, want\n%q", c.name, got, c.want)
		}
		if want := c.want != c.in; (n > 0) != want {
			t.Errorf("%s: %d marked", c.name, n)
		}
	}
}

func TestAHugeHeaderIsMarkedWhereItIsRead(t *testing.T) {
	in := strings.Repeat("Subject: a\r\n", 1<<20)
	pieces, n := marked([][]byte{[]byte(in), []byte("\r\nbody\r\n")}, "[SPAM]")
	if want := markedWithin / len("Subject: a\r\n"); n != want {
		t.Errorf("%d marked, want %d", n, want)
	}
	if got := joined(pieces); strings.ReplaceAll(got, " [SPAM]", "") != in+"\r\nbody\r\n" {
		t.Error("more than marks has changed")
	}
	huge := "Subject: " + strings.Repeat("=?utf-8?B?w6lsYW4=?= ", 10<<10) + "\r\n\r\n"
	if pieces, n = marked([][]byte{[]byte(huge)}, "[SPAM]"); n != 1 || !strings.HasPrefix(joined(pieces), "Subject: [SPAM]\r\n =?") {
		t.Errorf("%d marked: %.80q", n, joined(pieces))
	}
}

// manyBlanks are those that stay in a subject's first line whatever is put in.
var manyBlanks = regexp.MustCompile(`(?i)subject[ \t]+:|:[ \t]{9,}`)

func longest(text string) int {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n = max(n, len(strings.TrimSuffix(line, "\r")))
	}
	return n
}

// FuzzMarked: bytes are only put in, a second time puts in none, and a reader sees the mark and then the subject.
func FuzzMarked(f *testing.F) {
	for _, wide := range []bool{false, true} {
		for _, seed := range []string{"Subject: a\r\n\r\nb", "subject:\r\n =?utf-8?Q?x?=\r\n y\r\nSubject :z\r\n\r\n", " x\r\n\r\n", "x\r\n", "Subject:\r\n \r\n\r\n", "Subject: [zq7] a\r\n\r\n"} {
			f.Add([]byte(seed), wide)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, wide bool) {
		mark := "[zq7]"
		if wide {
			mark = "[жю7]"
		}
		putIn := regexp.MustCompile(`^(?:Subject:)? (?:` + regexp.QuoteMeta(word(mark)) + `|` + regexp.QuoteMeta(word(mark+" ")) + `)(?:\r\n)? ?$`)
		pieces, n := marked([][]byte{raw}, mark)
		var rest []byte
		found := 0
		for _, p := range pieces {
			if putIn.Match(p) && found < n {
				found++
				continue
			}
			rest = append(rest, p...)
		}
		if !bytes.Equal(rest, raw) || found != n {
			t.Fatalf("%q became %q, %d put in", raw, joined(pieces), n)
		}
		once := joined(pieces)
		if again, more := marked([][]byte{[]byte(once)}, mark); more != 0 && !bytes.ContainsRune(raw, 0) {
			t.Fatalf("%q became %q", once, joined(again))
		}
		if longest(once) > max(foldAt, longest(string(raw))) && !manyBlanks.Match(raw) {
			t.Fatalf("a line of %d bytes in %q", longest(once), once)
		}
	})
}

func TestOnlyThoseWhoAskGetMarkedSubjects(t *testing.T) {
	const text = `
version: 1
thresholds: { tag: off, reject: off }
rules: [{ id: LOUD, about: x, check: loud, score: 7 }]
policies:
  - { id: bob, rcpt: bob@weir.example, thresholds: { subject: 5 } }
  - { id: eve, rcpt: eve@weir.example, thresholds: { tag: 5, subject: 7 }, subject: { text: "Пхе: " } }
  - { id: joe, rcpt: joe@weir.example, thresholds: { subject: 8 } }
`
	loud := says("loud", filters.Body, "LOUD")
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", rules.Known{loud.Name: loud.Symbols})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	gen := generation(set, filters.NewPipeline(time.Second, loud))
	f := newFront(t, func(f *front) { f.Current = always(gen) })
	for i, c := range []struct {
		rcpt, subject string
		action        rules.Action
		marked        int
	}{
		{"bob", "[SPAM] lunch", rules.Subject, 1},
		{"eve", word("Пхе:") + " lunch", rules.Subject, 1},
		{"joe", "lunch", rules.Pass, 0},
		{"ann", "lunch", rules.Pass, 0},
	} {
		client := f.dial()
		for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<" + c.rcpt + "@weir.example>"} {
			client.cmd(line, "250")
		}
		client.data(note, "250 2.0.0 taken")
		all := f.taken()
		if got, want := delivered(t, all[i]), strings.Replace(note, "Subject: lunch", "Subject: "+c.subject, 1); got != want {
			t.Errorf("%s: %q, want %q", c.rcpt, got, want)
		}
		r := f.recorded(i + 1)[i]
		if r.Verdict.Action != c.action || r.Message.Marked != c.marked || r.Message.Subject != "lunch" {
			t.Errorf("%s: recorded %+v, %+v", c.rcpt, r.Verdict, r.Message)
		}
	}
}

func TestWhoseSubjectsAreMarked(t *testing.T) {
	on, off := rules.NoThresholds(), rules.NoThresholds()
	on.Subject = rules.Threshold{Points: 500}
	for _, c := range []struct {
		action     rules.Action
		thresholds rules.Thresholds
		user, want string
	}{
		{rules.Tag, on, "", ""}, {rules.Subject, on, "", "[SPAM]"}, {rules.Subject, on, "bob", ""},
		{rules.Reject, on, "", "[SPAM]"}, {rules.Reject, off, "", ""}, // delivered, since nothing is refused for now
	} {
		tx := transaction{
			gate:   &gate{client: &client{user: c.user}},
			judged: &Judged{Verdict: scoring.Verdict{Action: c.action, Thresholds: c.thresholds}},
			trial:  &Trial{Policy: &rules.Policy{Mark: "[SPAM]"}},
		}
		if got := tx.mark(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
