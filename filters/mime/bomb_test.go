package mime

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/filters/mime/page"
)

// slowest is CPU time far beyond what any of these takes (some milliseconds, ten times that under the race detector);
// what it must catch takes minutes.
const slowest = 3 * time.Second

// spent is the CPU time of this process so far: other work on the machine does not count.
func spent(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatalf("reading CPU time: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nested is depth multiparts in each other, none of them closed.
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return b.String() + "\r\ntext\r\n"
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

const htmlHead = "Content-Type: text/html\r\n\r\n"

func bombs() map[string]string {
	many := strings.Repeat
	return map[string]string{
		"unclosed 22":         nested(22),
		"unclosed 50":         nested(50),
		"unclosed 200":        nested(200),
		"unclosed 100000":     nested(100000),
		"same boundary":       many("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 50000),
		"empty parts":         "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many("--b\r\n", 100000),
		"alternatives":        "Content-Type: multipart/alternative; boundary=b\r\n\r\n" + numbered(500, "--b\r\n\r\n"+many("words and words ", 60)+" %d\r\n"),
		"closed again":        "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many("--b--\r\n", 100000),
		"near boundaries":     nested(20) + many("--bb\r\n--b1x\r\n", 50000),
		"no boundary":         "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many("--b\r\nContent-Type: multipart/mixed\r\n\r\n--x\r\nContent-\r\n", 20000),
		"messages":            many("Content-Type: message/rfc822\r\n\r\n", 50000),
		"fields":              many("a:\r\n", 300000),
		"bad fields":          many("a\r\n", 300000),
		"bad and good fields": many("a\r\na:\r\n", 100000),
		"folded":              "Subject: x\r\n" + many(" y\r\n", 300000),
		"one line":            "Subject: " + many("x", 4<<20),
		"sections":            "Content-Type: text/plain;" + numbered(10000, " name*%d*=%%41;") + "\r\n\r\nx",
		"parameters":          "Content-Type: text/plain" + many(";", 100000) + many("; a=\"", 20000) + "\r\n\r\nx",
		"comments":            "Content-Type: text/plain" + many("(", 100000) + "\r\n\r\nx",
		"words":               "Subject: " + many("=?utf-8?q?x", 30000) + "\r\n\r\nx",
		"good words":          "Subject: " + many("=?utf-8?q?x?= =?koi8-r?b?x?= ", 8000) + "\r\n\r\nx",
		"foreign words":       "Subject: " + many("=?big5?q?=a4=40?= =?gbk?q?=b0=a1?= ", 8000) + "\r\n\r\nx",
		"bad base64":          "Content-Transfer-Encoding: base64\r\n\r\n" + many("!", 1<<20),
		"soft breaks":         "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + many("=\r\n", 1<<19),
		"begin":               "\r\n" + many("begin 644 x\r\nM\r\n", 100000),
		"begin and data":      "\r\n" + many("begin 644 x\r\n#0V%T\r\n", 100000),
		"div":                 htmlHead + many("<div>", 100000),
		"wrong ends":          htmlHead + many("<b>", 400) + "<table><tr><td>" + many("<i>", 90) + many("</b></u>", 100000),
		"end tags":            htmlHead + many("<b>", 500) + many("</i>", 200000),
		"open tags":           htmlHead + many("<a", 300000),
		"comments in HTML":    htmlHead + many("<!--", 300000),
		"attributes":          htmlHead + "<a " + many("a=b ", 200000) + ">x",
		"long attribute":      htmlHead + "<a href='http://a.example/" + many("x", 1<<20) + "'>x",
		"styles":              htmlHead + "<style>" + many(".a .b .c{color:red}", 10000) + "</style>" + many("<p class='a b c'>x", 50000),
		"style tags":          htmlHead + many("<style>", 100000),
		"style attributes":    htmlHead + numbered(20000, "<p style='left:%dpx;color:#fff'>x"),
		"entities":            htmlHead + many("&amp", 200000),
		"lines of links":      "\r\n" + numbered(50000, "http://h%d.example/\r\n"),
		"half links":          "\r\n" + many("http://.", 100000),
		"dotted links":        "\r\n" + many("www.", 200000),
		"closing brackets":    "\r\n" + many("http://a.example/"+many(")", 2000)+" ", 250),
		"international":       "\r\n" + numbered(5000, "http://п%dюшн"+many("яжф", 20)+".рф/ "),
		"controls":            "\r\n" + many("\x00\r", 500000),
	}
}

func TestBombs(t *testing.T) {
	for name, raw := range bombs() {
		t.Run(name, func(t *testing.T) {
			start := spent(t)
			d := Parse([]byte(raw))
			v := d.Visible()
			if took := spent(t) - start; took > slowest {
				t.Errorf("took %v", took)
			} else {
				t.Logf("%v for %d bytes", took, len(raw))
			}
			if n := len(d.Leaves()); n > mostLeaves {
				t.Errorf("%d leaves", n)
			}
			if len(v.Text) > page.MaxText || len(v.URLs) > page.MaxURLs || len(v.Skeleton) > page.MaxElements {
				t.Errorf("%d bytes of text, %d links, %d elements", len(v.Text), len(v.URLs), len(v.Skeleton))
			}
		})
	}
}

// mostLeaves is the bound on parts with what one more line of nesting may add, and uuencoded files.
const mostLeaves = maxParts + 2*maxDepth + maxFiles
