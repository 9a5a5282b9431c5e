package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/scoring/verdictlog"
)

// imapConf is for a Dovecot in which ann reads her mail.
const imapConf = `
protocols = imap
mail_location = maildir:%[1]s/mail/%%n
first_valid_uid = 1
ssl = no
disable_plaintext_auth = no
passdb {
  driver = static
  args = password=s3cret
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=%[1]s/mail/%%n
}
namespace inbox {
  inbox = yes
  mailbox Junk {
    auto = create
  }
  mailbox Trash {
    auto = create
  }
}
service imap-login {
  inet_listener imap {
    port = %[2]s
  }
  inet_listener imaps {
    port = 0
  }
}
`

var fenced = regexp.MustCompile("(?ms)^```(dovecot|sieve|bash)\n(.*?)^```")

// recipe returns the files of docs/learning.md's recipe, in their order: Dovecot's settings, spam.sieve, ham.sieve, learn.
func recipe(t *testing.T, paths *strings.Replacer) (files []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/learning.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		files = append(files, paths.Replace(block[2]))
	}
	if len(files) != 4 {
		t.Fatalf("docs/learning.md has %d blocks, want 4", len(files))
	}
	return files
}

// startIMAP runs Dovecot with the recipe, and as ann's user a weir whose configuration is returned. It needs root.
func startIMAP(t *testing.T, records string) (addr, conf string) {
	t.Helper()
	needsAsRoot(t, "dovecot")
	sievec := needs(t, "sievec")
	if !isExecutable("/usr/lib/dovecot/imap") {
		lacks(t, "Dovecot's IMAP server is not installed")
	}
	binary, err := weirBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := openFolder(t, "imap")
	in := func(name string) string { return filepath.Join(dir, name) }
	command(t, "mkdir", in("run"), in("mail"), in("lib"))
	command(t, "cp", binary, in("weir"))
	command(t, "cp", "-r", records, in("verdicts"))
	write(t, in("rules.yaml"), healthRules)
	write(t, in("weir.yaml"), "version: 1\nrules: rules.yaml\nverdicts: { dir: verdicts }\n")
	files := recipe(t, strings.NewReplacer("user = weir", "user = nobody", "user = vmail", "user = nobody", "/usr/local/lib/weir", in("lib"), "/usr/local/bin/weir", in("weir"), "/etc/weir/weir.yaml", in("weir.yaml")))
	addr = freePort(t)
	dovecot := configDovecot(t, dir, imapConf+"%[3]s", portOf(addr), files[0])
	for i, name := range []string{"spam.sieve", "ham.sieve", "learn"} {
		write(t, in("lib/"+name), files[i+1])
	}
	command(t, "chmod", "0755", in("lib/learn"), in("weir"))
	for _, name := range []string{"spam.sieve", "ham.sieve"} {
		command(t, sievec, "-c", dovecot, in("lib/"+name))
	}
	command(t, "chown", "-R", "65534:65534", in("mail"), in("verdicts"))
	runDovecot(t, dovecot, func() bool { return listens(addr) })
	return addr, in("weir.yaml")
}

// imapClient speaks IMAP (RFC 3501, MOVE of RFC 6851), a command at a time.
type imapClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func loginIMAP(t *testing.T, addr string) *imapClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	c := &imapClient{t, conn, bufio.NewReader(conn)}
	c.say("LOGIN ann s3cret")
	return c
}

// say gives a command, with a literal if there is one, and waits until it has succeeded.
func (c *imapClient) say(command string, literal ...string) {
	c.t.Helper()
	for _, l := range literal {
		command += fmt.Sprintf(" {%d+}\r\n%s", len(l), l) // RFC 7888
	}
	fmt.Fprintf(c.conn, "a %s\r\n", command)
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%s: %v", command, err)
		}
		if answer, tagged := strings.CutPrefix(line, "a "); tagged {
			if !strings.HasPrefix(answer, "OK") {
				c.t.Fatalf("%s: %s", command, answer)
			}
			return
		}
	}
}

// What ann does with her mail, in a real Dovecot with the recipe as it is written, is heard.
func TestRecipeForDovecot(t *testing.T) {
	t.Parallel()
	dir := keepRecords(t, []verdictlog.Record{boughtRecord(0), boughtRecord(1), boughtRecord(2)})
	addr, conf := startIMAP(t, dir)
	c, ids := loginIMAP(t, addr), idsOf(t, dir)
	for i, folder := range []string{"INBOX", "INBOX", "Junk"} { // what is delivered into Junk, nobody has said
		c.say("APPEND "+folder, fmt.Sprintf("X-Weir-Verdict: id=%s; action=tag\r\nMessage-ID: <%d@shop.example>\r\nSubject: x\r\n\r\nBuy.\r\n", ids[i], i))
	}
	var want []string
	heard := func(more ...string) {
		t.Helper()
		want = append(want, more...)
		var got []string
		eventually(t, strings.Join(want, ", "), func() bool {
			text, _ := os.ReadFile(filepath.Join(filepath.Dir(conf), "verdicts", "feedback.jsonl"))
			got = strings.Split(strings.TrimSpace(string(text)), "\n")
			return len(got) >= len(want)
		})
		for i := range want {
			said, id, _ := strings.Cut(want[i], " ")
			if len(got) != len(want) || !strings.Contains(got[i], `"learned":"`+said+`","id":"`+id+`"`) {
				t.Fatalf("heard %q, want %q", got, want)
			}
		}
	}
	c.say("SELECT INBOX")
	c.say("MOVE 1 Junk")
	heard("spam " + ids[0])
	c.say("COPY 1 Junk") // the second, which is the first now
	heard("spam " + ids[1])
	c.say("SELECT Junk") // the third, the first, the second
	c.say("MOVE 2 Trash")
	c.say("MOVE 2 INBOX")
	heard("ham " + ids[1])

	for word, id := range map[string]string{"spam": ids[0], "ham": ids[1]} {
		if _, out, errs := verb("log", "-c", conf, "--json", "learned:"+word); strings.Count(out, "\n") != 1 || !strings.Contains(out, id) {
			t.Errorf("learned:%s: %s%s", word, out, errs)
		}
	}
	if _, out, errs := verb("rules", "stats", "-c", conf, "--json"); !strings.Contains(out, `"wrong":1,"last_wrong":"`+ids[1]+`"`) {
		t.Errorf("rules stats: %s%s", out, errs)
	}
}

// boughtRecord is the record of message i, which one list alone has tagged.
func boughtRecord(i int) verdictlog.Record {
	r := judgedRecord("BIG_BAD")
	r.Message.MessageID = fmt.Sprintf("<%d@shop.example>", i)
	return r
}

// idsOf are the ids of the verdicts in dir, the oldest first.
func idsOf(t *testing.T, dir string) (ids []string) {
	t.Helper()
	q, err := verdictlog.ParseQuery(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := verdictlog.Search(t.Context(), dir, q, func(r *verdictlog.Record) error {
		ids = append(ids, r.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}
