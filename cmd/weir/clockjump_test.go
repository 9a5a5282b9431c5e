//go:build clock

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/filters/lookup"
	"weir/proxy/backend/sink"
)

// shifted goes into the time package of the program under test: its time of day is off by the seconds that a file says,
// and its monotonic clock is not, as when somebody sets the clock.
const shifted = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var shiftBy = mapShift()

// mapShift maps the file: the clock is also read where no system call may be made.
func mapShift() *int64 {
	name, _ := syscall.Getenv("WALL_CLOCK_OFF")
	file, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return new(int64)
	}
	defer syscall.Close(file)
	mapped, err := syscall.Mmap(file, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return new(int64)
	}
	return (*int64)(unsafe.Pointer(unsafe.SliceData(mapped)))
}

func shift() int64 { return atomic.LoadInt64(shiftBy) }
`

// unsteady is the program with such a clock, and the file that says by how many seconds it is off.
func unsteady(t *testing.T) (set func(seconds int64)) {
	t.Helper()
	dir := t.TempDir()
	original := filepath.Join(runtime.GOROOT(), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	const read = "\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), read) == 0 {
		t.Fatalf("%s reads the clock in another way", original)
	}
	write(t, filepath.Join(dir, "time.go"), strings.ReplaceAll(string(source), read, read+"\tsec += shift()\n"))
	write(t, filepath.Join(dir, "shift.go"), shifted)
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{
		original: filepath.Join(dir, "time.go"), filepath.Join(filepath.Dir(original), "shift.go"): filepath.Join(dir, "shift.go"),
	}})
	write(t, filepath.Join(dir, "overlay.json"), string(overlay))
	program := filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	usual := weirBinary
	weirBinary = func() (string, error) { return program, nil }
	t.Cleanup(func() { weirBinary = usual })
	off, err := os.Create(filepath.Join(dir, "off"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { off.Close() })
	t.Setenv("WALL_CLOCK_OFF", off.Name())
	return func(seconds int64) {
		if _, err := off.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(seconds)), 0); err != nil { // as a whole
			t.Fatal(err)
		}
	}
}

const clockRules = `version: 1
thresholds: { tag: 6, reject: 15 }
zones: [{ id: BL, zone: bl.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 1 }] }]
`

// The clock is set while weir runs: who is there stays, nothing is let in or kept out by it, and nothing is lost.
func TestTheClockIsSet(t *testing.T) {
	set := unsteady(t)
	const years = 10 * 365 * 24 * 3600
	for _, c := range []struct {
		name    string
		seconds int64
	}{{"ten years ahead", years}, {"ten years back", -years}, {"an hour back", -3600}} {
		t.Run(c.name, func(t *testing.T) {
			set(0)
			j := newJump(t)
			j.before()
			set(c.seconds)
			j.after()
			j.restart(t, set)
		})
	}
}

// jump is one weir before and after its clock was set.
type jump struct {
	t        *testing.T
	weir     *served
	box      *sink.Sink
	dns      *lookup.Server
	cert     string
	idle     func() error // something that a client of before does after
	flying   io.WriteCloser
	asked    uint64
	messages int // recorded
}

func newJump(t *testing.T) *jump {
	t.Helper()
	zone, err := lookup.MapZone(map[string][]string{"9.0.0.127.bl.test": {"127.0.0.2"}, "2.0.0.127.bl.test": {"127.0.0.2"}})
	if err != nil {
		t.Fatal(err)
	}
	dns, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	j := &jump{t: t, box: startSink(t), dns: dns}
	dir := t.TempDir()
	j.cert = filepath.Join(dir, "cert.pem")
	key := filepath.Join(dir, "key.pem")
	selfSigned(t, "first.example", j.cert, key)
	j.weir = serve(t, j.box.Addr(), dns.Addr(), clockRules, "listen.tls: starttls", "tls: { cert: "+j.cert+", key: "+key+" }",
		"limits.messages_per_minute: 20", "final_dot_memory: 1h", "store: { memory: { snapshot: memory.snap } }")
	return j
}

// send sends one message from an address and returns what it was answered.
func (j *jump) send(from, subject string) error {
	c := client(j.t, j.weir.addr, from)
	defer c.Close()
	err := sendMail(c, "ann@client.example.net", "bob@example.org", strings.Replace(plainMail, "Subject: lunch", "Subject: "+subject, 1))
	return err
}

func (j *jump) must(from, subject string) {
	j.t.Helper()
	if err := j.send(from, subject); err != nil {
		j.t.Errorf("%s: %v", subject, err)
	}
	j.messages++
}

// before is what is going on when the clock is set.
func (j *jump) before() {
	c := client(j.t, j.weir.addr, "127.0.0.9")
	j.idle = func() error { return sendMail(c, "ann@client.example.net", "bob@example.org", plainMail) }
	j.flying = begun(j.t, j.weir.addr)
	j.must("127.0.0.9", "listed")
	for n, err := 0, error(nil); codeOf(err) == 0; n++ { // until it is too many
		if err = j.send("127.0.0.3", fmt.Sprint(n)); n > 40 {
			j.t.Fatalf("%d messages within a minute: %v", n, err)
		}
	}
	j.box.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Answer, Text: "250 2.0.0 kept", Delay: 100 * time.Millisecond, Commit: true}}})
	conn, err := net.Dial("tcp", j.weir.addr)
	if err != nil {
		j.t.Fatal(err)
	}
	w := begunOn(j.t, conn)
	_, _ = io.WriteString(w, strings.ReplaceAll(plainMail, "Subject: lunch", "Subject: vanished")+".\r\n")
	conn.Close() // before the answer
	eventually(j.t, "the message of the client that vanished", func() bool { return copies(j.t, j.box)["vanished"] == 1 })
	j.asked = j.dns.Asked() // of each client that there is
}

// begunOn says on a connection what leads to 354.
func begunOn(t *testing.T, conn net.Conn) io.Writer {
	t.Helper()
	buffer := make([]byte, 4096)
	for _, line := range []string{"", "EHLO client.example.net", "MAIL FROM:<ann@client.example.net>", "RCPT TO:<bob@example.org>", "DATA"} {
		if line != "" {
			_, _ = io.WriteString(conn, line+"\r\n")
		}
		if n, err := conn.Read(buffer); err != nil || buffer[0] != '2' && buffer[0] != '3' {
			t.Fatalf("%s: %q, %v", line, buffer[:n], err)
		}
	}
	return conn
}

// after is what must hold when it was set.
func (j *jump) after() {
	t := j.t
	if err := j.idle(); err != nil {
		t.Errorf("the session that was idle: %v", err)
	}
	if _, err := io.WriteString(j.flying, plainMail); err != nil {
		t.Error(err)
	}
	if err := j.flying.Close(); err != nil {
		t.Errorf("the message that was on its way: %v", err)
	}
	if err := j.send("127.0.0.3", "too soon"); codeOf(err)/100 != 4 {
		t.Errorf("a client over its limit: %v", err)
	}
	eventually(t, "the limit to pass", func() bool { return j.send("127.0.0.3", "later") == nil })
	j.must("127.0.0.9", "listed")
	if now := j.dns.Asked(); now != j.asked {
		t.Errorf("the DNS server was asked %d times again", now-j.asked)
	}
	if err := j.resend("vanished"); err != nil || copies(t, j.box)["vanished"] != 1 {
		t.Errorf("the message of the client that vanished: %v, %d copies", err, copies(t, j.box)["vanished"])
	}
	addr := j.box.Addr()
	j.box.Close()
	if err := j.send("127.0.0.4", "nobody there"); codeOf(err)/100 != 4 {
		t.Errorf("without a server behind: %v", err)
	}
	box, err := sink.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	eventually(t, "the server behind to be used again", func() bool { return j.send("127.0.0.4", "it is back") == nil })
	selfSigned(t, "second.example", j.cert, filepath.Join(filepath.Dir(j.cert), "key.pem"))
	eventually(t, "the certificate to be exchanged", func() bool { return certificateOf(t, j.weir) == "second.example" })
	if n := len(j.weir.records(t, 20)); n < 20 {
		t.Errorf("%d records are left", n)
	}
	if state := healthOfClock(t, j.weir); state != "" {
		t.Error(state)
	}
}

// resend sends a message as the one that vanished was sent.
func (j *jump) resend(subject string) error {
	conn, err := net.Dial("tcp", j.weir.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := begunOn(j.t, conn)
	_, _ = io.WriteString(w, strings.ReplaceAll(plainMail, "Subject: lunch", "Subject: "+subject)+".\r\n")
	answer := make([]byte, 512)
	n, err := conn.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "250 2.0.0 kept") {
		return fmt.Errorf("%q", answer[:n])
	}
	return err
}

// healthOfClock says what a weir complains of in its log.
func healthOfClock(t *testing.T, w *served) string {
	t.Helper()
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") {
			return line
		}
	}
	return ""
}

// restart ends weir while the clock is off and starts it when it is right, from the snapshot.
func (j *jump) restart(t *testing.T, set func(int64)) {
	j.weir.process.Signal(syscall.SIGTERM)
	if err := j.weir.wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(j.weir.dir, "memory.snap")); err != nil {
		t.Error(err)
	}
	set(0)
	program, _ := weirBinary()
	out, err := exec.Command(program, "bulk", "list", "-c", filepath.Join(j.weir.dir, "weir.yaml")).CombinedOutput()
	if err != nil {
		t.Errorf("the snapshot of a clock that was off: %v\n%s", err, out)
	}
}
