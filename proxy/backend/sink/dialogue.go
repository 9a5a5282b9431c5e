package sink

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

const (
	idle     = 5 * time.Minute
	maxWrite = 30 * time.Second
	maxLine  = 1 << 20
)

// errEnd ends a dialogue.
var errEnd = errors.New("end of the dialogue")

// dialogue is one connection to the sink.
type dialogue struct {
	sink   *Sink
	conn   net.Conn
	number int
	r      *bufio.Reader
	open   *Message // the transaction in hand
}

func (d *dialogue) run() {
	d.r = bufio.NewReaderSize(d.conn, 64<<10)
	if handled, _, err := d.act(Connect); handled || err != nil {
		return
	}
	if script, _ := d.sink.now(); script.Proxy && d.proxied() != nil {
		return
	}
	if d.say(Banner, "220 sink.example ESMTP") != nil {
		return
	}
	for {
		line, err := d.line()
		if err != nil {
			return
		}
		d.sink.note(line)
		verb, arg, _ := strings.Cut(line, " ")
		if d.command(strings.ToUpper(verb), arg) != nil {
			return
		}
	}
}

func (d *dialogue) command(verb, arg string) error {
	switch verb {
	case "EHLO", "HELO", "LHLO":
		return d.hello(verb)
	case "STARTTLS":
		return d.secure()
	case "XCLIENT":
		d.open = nil
		return d.say(Client, "220 sink.example ESMTP")
	case "ETRN":
		return d.write("251 2.0.0 ok, no messages waiting for " + arg)
	case "AUTH":
		return d.auth(arg)
	case "XFORWARD":
		return d.say(Forward, "250 2.0.0 ok")
	case "MAIL":
		taken, err := d.ask(Mail, "250 2.1.0 sender ok")
		if taken {
			d.open = &Message{Conn: d.number, Mail: arg, TLS: d.encrypted()}
		}
		return err
	case "RCPT":
		return d.rcpt(arg)
	case "DATA":
		return d.data()
	case "BDAT":
		return d.chunk(arg)
	case "RSET":
		d.open = nil
		return d.say(Reset, "250 2.0.0 ok")
	case "NOOP":
		return d.write("250 2.0.0 ok")
	case "QUIT":
		_ = d.say(Quit, "221 2.0.0 bye") // it ends either way
		return errEnd
	}
	return d.write("502 5.5.1 unknown")
}

func (d *dialogue) hello(verb string) error {
	d.open = nil
	script, _ := d.sink.now()
	if verb == "EHLO" && script.NoEHLO {
		return d.write("502 5.5.1 unknown")
	}
	lines := []string{"sink.example"}
	if verb != "HELO" {
		offers := script.Offers
		if offers == nil {
			offers = Offers
		}
		lines = append(lines, offers...)
		if script.TLS != nil && !d.encrypted() {
			lines = append(lines, "STARTTLS")
		}
	}
	var reply strings.Builder
	for i, line := range lines {
		if i > 0 {
			reply.WriteByte('\n')
		}
		reply.WriteString("250")
		reply.WriteByte(" -"[min(len(lines)-1-i, 1)])
		reply.WriteString(line)
	}
	if script.NoEHLO {
		return d.write(reply.String())
	}
	return d.say(Hello, reply.String())
}

// secure takes up TLS, unless the script answers something else than 220.
func (d *dialogue) secure() error {
	script, _ := d.sink.now()
	if script.TLS == nil || d.encrypted() {
		return d.write("503 5.5.1 no TLS now")
	}
	taken, err := d.ask(StartTLS, "220 2.0.0 go on")
	if err != nil || !taken {
		return err
	}
	d.open = nil
	d.conn = tls.Server(d.conn, script.TLS) // whoever closes the sink closes what is below
	d.r = bufio.NewReaderSize(d.conn, 64<<10)
	return nil
}

func (d *dialogue) encrypted() bool {
	_, ok := d.conn.(*tls.Conn)
	return ok
}

func (d *dialogue) rcpt(arg string) error {
	if d.open == nil {
		return d.write("503 5.5.1 need MAIL")
	}
	script, _ := d.sink.now()
	path, _, _ := strings.Cut(strings.TrimPrefix(arg, "TO:<"), ">")
	if script.Rcpt != nil {
		if reply := script.Rcpt(path); reply != "" {
			if reply[0] == '2' {
				d.open.Rcpts = append(d.open.Rcpts, arg)
			}
			return d.write(reply)
		}
	}
	taken, err := d.ask(Rcpt, "250 2.1.5 recipient ok")
	if taken {
		d.open.Rcpts = append(d.open.Rcpts, arg)
	}
	return err
}

func (d *dialogue) data() error {
	if d.open == nil || len(d.open.Rcpts) == 0 {
		return d.write("503 5.5.1 need RCPT")
	}
	m := d.open
	d.open = nil
	if m.Chunks > 0 { // RFC 3030 2
		return d.write("503 5.5.1 the message has come by BDAT")
	}
	script, _ := d.sink.now()
	action, scripted := script.On[Data]
	if err := d.say(Data, "354 go on"); err != nil || scripted && !strings.HasPrefix(action.Text, "354") {
		return err
	}
	if err := d.body(m); err != nil {
		return err
	}
	return d.end(m)
}

// end answers the end of a message, once it is kept.
func (d *dialogue) end(m *Message) error {
	script, hold := d.sink.now()
	if a, ok := script.On[Dot]; ok && a.Kind == Answer && !a.Commit {
		return d.answer(m, a, hold)
	}
	if script.On[Dot].Commit {
		if err := d.sink.take(m, true); err != nil {
			return err
		}
		return d.say(Dot, "250 2.0.0 taken")
	}
	handled, text, err := d.act(Dot)
	if !handled && err == nil {
		text = "250 2.0.0 taken"
	}
	if full := d.sink.take(m, script.On[Dot].Kind != Raw && acknowledges(text)); full != nil {
		text = "452 4.3.1 cannot be kept"
	}
	if handled || err != nil {
		return err
	}
	return d.write(text)
}

// answer keeps the message if the scripted answer acknowledges it, and then says that.
func (d *dialogue) answer(m *Message, a Action, hold chan struct{}) error {
	pause(a.Delay, hold)
	text := a.Text
	if full := d.sink.take(m, acknowledges(text)); full != nil {
		text = "452 4.3.1 cannot be kept"
	}
	err := d.write(text)
	if err == nil && a.Close {
		return errEnd
	}
	return err
}

// acknowledges reports whether a reply, of several lines perhaps, is a 2xx.
func acknowledges(text string) bool {
	return strings.HasPrefix(text[strings.LastIndexByte(text, '\n')+1:], "2")
}

// body reads to CRLF.CRLF, undoing dot-stuffing.
func (d *dialogue) body(m *Message) error {
	lineStart, acted := true, false
	for {
		if err := d.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		piece, err := d.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if lineStart && string(piece) == ".\r\n" {
			return nil
		}
		if lineStart && piece[0] == '.' {
			piece = piece[1:]
		}
		m.Data = append(m.Data, piece...)
		lineStart = bytes.HasSuffix(m.Data, []byte("\r\n"))
		if err := d.during(m, &acted); err != nil {
			return err
		}
	}
}

// during does what the script wants while a message arrives, once.
func (d *dialogue) during(m *Message, acted *bool) error {
	script, _ := d.sink.now()
	action, ok := script.On[Body]
	if !ok || *acted || len(m.Data) < action.After {
		return nil
	}
	*acted = true
	if _, _, err := d.act(Body); err != nil {
		return err
	}
	if action.Kind == Early {
		_, _ = io.Copy(io.Discard, d.r) // until the peer gives up
		return errEnd
	}
	return nil
}

// line reads a command, to CRLF.
func (d *dialogue) line() (string, error) {
	if err := d.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return "", err
	}
	var line []byte
	for len(line) < maxLine {
		piece, err := d.r.ReadSlice('\n')
		line = append(line, piece...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if bytes.HasSuffix(line, []byte("\r\n")) {
			return string(line[:len(line)-2]), nil
		}
	}
	return "", errEnd
}

// ask answers at a stage and reports whether the answer was of class 2.
func (d *dialogue) ask(s Stage, usual string) (bool, error) {
	handled, text, err := d.act(s)
	if !handled && err == nil {
		text, err = usual, d.write(usual)
	}
	return strings.HasPrefix(text, "2"), err
}

// say answers at a stage.
func (d *dialogue) say(s Stage, usual string) error {
	_, err := d.ask(s, usual)
	return err
}

// act does what the script wants at a stage; handled is false if it wants nothing.
func (d *dialogue) act(s Stage) (handled bool, text string, err error) {
	script, hold := d.sink.now()
	a, ok := script.On[s]
	if !ok {
		return false, "", nil
	}
	if a.Kind != Drip {
		pause(a.Delay, hold)
	}
	switch a.Kind {
	case Answer, Early:
		err = d.write(a.Text)
	case Raw:
		err = d.send(a.Text)
	case Drip:
		for _, b := range []byte(a.Text + "\r\n") {
			pause(a.Delay/time.Duration(len(a.Text)+2), hold)
			if err = d.send(string(b)); err != nil {
				break
			}
		}
	case Abort:
		if tcp, ok := d.conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a plain close is near enough
		}
		err = errEnd
	case Hang:
		d.sink.ended.Go(func() { _, _ = io.Copy(io.Discard, d.r) }) // until the connection ends
		<-hold
		err = errEnd
	case Stall:
		<-hold
		err = errEnd
	default:
		err = errEnd
	}
	if err == nil && a.Close {
		err = errEnd
	}
	return true, a.Text, err
}

func pause(d time.Duration, hold chan struct{}) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-hold:
	}
}

func (d *dialogue) write(text string) error {
	return d.send(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
}

func (d *dialogue) send(bytes string) error {
	if err := d.conn.SetWriteDeadline(time.Now().Add(maxWrite)); err != nil {
		return err
	}
	_, err := io.WriteString(d.conn, bytes)
	return err
}
