package proxy

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"weir/proxy/backend"
)

const (
	junkLimit = 100 // commands that lead nowhere before they count as errors
	tarpit    = time.Second
	stressed  = 10 * time.Second // between commands, when few sessions are left
	maxPutOff = 1000             // recipients of a message that are put off before each counts as an error
	maxHello  = 255
	maxEnvid  = 100 // RFC 3461 4.4
)

// nextCommand reads commands until one is for go-smtp, and puts what go-smtp is to read into line; between the chunks of
// a message, until there is another.
func (g *gate) nextCommand() error {
	for {
		if g.closing() {
			return g.hangUp(replyClosing)
		}
		if err := g.patience(); err != nil {
			return err
		}
		waiting := g.in.Buffered() > 0 // said before it could read our last reply
		line, err := g.readLine(g.longest())
		if err == nil && !waiting {
			g.heard(spoke)
		}
		if errors.Is(err, errLineTooLong) {
			g.say(replyLineTooLong)
			continue
		}
		if err != nil {
			return err
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok { // a bare LF: what follows is as doubtful as this
			return g.hangUp(replyControl)
		}
		if g.cmd, ok = readCommand(text); !ok {
			offence(&g.client.manners.Command, quoted([]byte(line)))
			g.say(replyControl)
			continue
		}
		if g.cmd.isForeign() {
			g.server.recordRefused(g.client, replyNotSMTP)
			return g.hangUp(replyNotSMTP)
		}
		if len(line) > maxCommand && g.cmd.verb != "AUTH" {
			g.say(replyLineTooLong)
			continue
		}
		g.watch()
		if err := g.screen(); err != nil || g.cmd.verb != "" {
			return err
		}
	}
}

// longest is how long the next command may be.
func (g *gate) longest() int {
	if g.client.listener.Outbound {
		return maxAuth
	}
	return maxCommand
}

// say answers the command in hand without go-smtp.
func (g *gate) say(r Reply) {
	g.server.sessions.ledger.said(r)
	g.out = append(g.out, r.wire()...)
	g.advance(r.Code)
}

// pass gives go-smtp a line to read.
func (g *gate) pass(line string) { g.line = append(g.line[:0], line...) }

// patience slows down a client that makes errors, and ends when there is none left.
func (g *gate) patience() error {
	limit := g.client.settings.Limits.errors()
	g.idle = g.client.settings.Limits.timeout()
	if g.server.sessions.stress.Load() {
		limit, g.idle = 1, min(g.idle, stressed)
	}
	if g.state.errors >= limit {
		return g.hangUp(replyTooManyErrors)
	}
	if g.state.errors <= limit/2 {
		return nil
	}
	if err := g.flush(); err != nil {
		return err
	}
	return g.wait(tarpit)
}

// wait lets time pass, unless the session ends.
func (g *gate) wait(d time.Duration) error {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-g.client.ctx.Done():
		return errEnded
	}
}

// junk counts a command that leads nowhere; too many are errors.
func (g *gate) junk() {
	limit := junkLimit
	if g.server.sessions.stress.Load() {
		limit = 1
	}
	if g.state.junk++; g.state.junk > limit {
		g.state.errors++
	}
}

// screen answers the command in hand or passes it to go-smtp.
func (g *gate) screen() error {
	var refusal *Reply
	switch g.cmd.verb {
	case "HELO", "EHLO":
		refusal = g.hello()
	case "MAIL":
		refusal = g.mail()
	case "RCPT":
		refusal = g.rcpt()
	case "DATA":
		if refusal = g.data(); refusal != nil && g.in.Buffered() > 0 {
			return g.hangUp(*refusal) // a message sent blindly, which must not be read as commands
		}
	case "STARTTLS":
		return g.upgrade()
	case "XCLIENT":
		return g.introduced()
	case "ETRN":
		return g.etrn()
	case "AUTH":
		return g.auth()
	case "BDAT":
		return g.bdat()
	case "RSET", "QUIT":
		if refusal = &replyNoArgument; g.cmd.arg == "" {
			refusal = nil
			g.pass(g.cmd.verb + "\r\n")
		}
		g.junk()
	case "NOOP":
		g.junk()
		refusal = &replyDone
	default:
		g.junk()
		refusal = g.elsewhere()
	}
	if refusal != nil {
		g.say(*refusal)
	}
	return nil
}

// elsewhere answers the verbs that change nothing.
func (g *gate) elsewhere() *Reply {
	switch g.cmd.verb {
	case "VRFY":
		if g.cmd.arg == "" {
			return &replyArgument
		}
		return &replyVerify // RFC 5321 7.3
	case "HELP":
		return &replyHelp
	case "EXPN", "SEND", "SOML", "SAML", "TURN", "ATRN":
		return &replyNotDone
	case "XFORWARD", "PROXY":
		return &replyForbidden
	}
	offence(&g.client.manners.Command, quoted([]byte(g.cmd.verb)))
	return &replyUnknown
}

func (g *gate) hello() *Reply {
	if g.state.hello != "" {
		g.junk()
	}
	host := g.cmd.arg
	if host == "" || len(host) > maxHello || !isASCII(host) || strings.ContainsAny(host, " \t") {
		return &replyHello
	}
	g.pass(g.cmd.verb + " " + host + "\r\n")
	return nil
}

func (g *gate) mail() *Reply {
	switch {
	case g.state.hello == "":
		return &replyHelloFirst
	case g.client.listener.Outbound && g.client.user == "":
		return &replyNeedsAuth
	case g.state.mail:
		return &replyMailTwice
	}
	if err := g.cmd.readPath("FROM"); err != nil || g.cmd.path.bare {
		return &replyBadSender
	}
	if refusal := g.mailParams(); refusal != nil {
		return refusal
	}
	if !g.server.rates.messages.within(g.client, g.client.settings.Limits.Messages) {
		if g.client.user != "" {
			g.server.logger().Warn("a user sends more than the limit", "user", g.client.user, "client", g.client.addr)
		}
		return &replyTooMuchMail
	}
	g.pass(g.cmd.line("FROM", g.server.Hostname))
	return nil
}

// mailParams refuses the parameters of MAIL that are wrong or were not offered, as far as go-smtp does not.
func (g *gate) mailParams() *Reply {
	utf8, asUTF8 := g.cmd.param("SMTPUTF8")
	tls, sealed := g.cmd.param("REQUIRETLS")
	_, auth := g.cmd.param("AUTH")
	envid, _ := g.cmd.param("ENVID")
	body, _ := g.cmd.param("BODY")
	asBinary := strings.EqualFold("BODY="+body, binaryBody)
	size, err := g.cmd.size()
	switch {
	case auth && !g.client.listener.Outbound, asUTF8 && !g.state.utf8, sealed && !g.state.sealed, asBinary && !g.state.binary: // not offered
		return &replyParameter
	case !asUTF8 && !isASCII(g.cmd.arg):
		return &replyNotASCII
	case err != nil, utf8+tls != "", len(envid) > maxEnvid, g.cmd.repeats():
		return &replyArgument
	case size > g.client.settings.maxSize():
		return &replyTooLarge
	}
	if auth { // we vouch for nobody: as if it were AUTH=<> (RFC 4954 5)
		g.cmd.drop("AUTH")
	}
	g.state.asUTF8, g.state.asBinary = asUTF8, asBinary
	return nil
}

func (g *gate) rcpt() *Reply {
	if !g.state.mail {
		return &replyMailFirst
	}
	if g.phase == inMessage {
		return &replyInChunks
	}
	if err := g.cmd.readPath("TO"); err != nil || g.cmd.path.address == "" {
		return &replyBadRecipient
	}
	switch {
	case !g.state.asUTF8 && !isASCII(g.cmd.arg):
		return &replyNotASCII
	case g.cmd.repeats(), g.cmd.hasBadOriginal():
		return &replyArgument
	case g.state.rcpts >= g.client.settings.Limits.recipients():
		return &replyTooManyRcpts
	}
	g.pass(g.cmd.line("TO", g.server.Hostname))
	return nil
}

func (g *gate) data() *Reply {
	switch {
	case g.cmd.arg != "":
		return &replyNoArgument
	case !g.state.mail:
		return &replyMailFirst
	case g.state.rcpts == 0:
		return &replyNoRecipients
	case g.phase == inMessage:
		return &replyInChunks
	case g.state.asBinary: // RFC 3030 3
		return &replyBinaryByBDAT
	}
	g.pass("DATA\r\n")
	return nil
}

// upgrade takes up TLS. The dialogue then begins anew (RFC 3207 4.2): the next EHLO, without which nothing goes, makes
// go-smtp forget what it knew.
func (g *gate) upgrade() error {
	refusal := replyStartTLS
	switch {
	case g.cmd.arg != "":
		refusal = replyNoArgument
	case g.phase == inMessage:
		refusal = replyInChunks
	case g.tlsState() != nil:
		refusal = replyTLSOn
	case g.client.listener.TLS != StartTLS:
		refusal = replyNotDone
	}
	g.say(refusal)
	if refusal != replyStartTLS {
		return nil
	}
	if err := g.flush(); err != nil {
		return err
	}
	if err := g.secure(); err != nil {
		return err
	}
	g.transaction(false)
	g.state = state{errors: g.state.errors, junk: g.state.junk}
	return nil
}

// offer is the reply to EHLO: what we and the servers behind, which offer behind, can both take. The caller finds that
// out, not offer: one above the other they would need a stack of 8 KiB, which stays as large while the client is idle.
func (g *gate) offer(behind backend.Extensions) []byte {
	lines := []string{g.server.Hostname, "PIPELINING", "ENHANCEDSTATUSCODES"}
	if behind.Has("8BITMIME") {
		lines = append(lines, "8BITMIME")
	}
	lines = append(lines,
		"SIZE "+strconv.FormatInt(g.client.settings.maxSizeOf(behind), 10),
		"LIMITS RCPTMAX="+strconv.Itoa(g.client.settings.maxRecipientsOf(behind)))
	for _, keyword := range []string{"CHUNKING", "SMTPUTF8", "DSN"} {
		if behind.Has(keyword) {
			lines = append(lines, keyword)
		}
	}
	g.state.utf8, g.state.chunks, g.state.binary = behind.Has("SMTPUTF8"), behind.Has("CHUNKING"), takesBinary(behind)
	if g.state.binary {
		lines = append(lines, "BINARYMIME")
	}
	g.state.sealed = behind.Has("REQUIRETLS") && g.tlsState() != nil // RFC 8689 2
	if g.state.sealed {
		lines = append(lines, "REQUIRETLS")
	}
	if g.client.speaks {
		lines = append(lines, xclientOffer)
	}
	if g.mayStart() {
		lines = append(lines, "ETRN")
	}
	if auth := g.authOffer(); auth != "" {
		lines = append(lines, "AUTH "+auth)
	}
	if g.client.listener.TLS == StartTLS && g.tlsState() == nil {
		lines = append(lines, "STARTTLS")
	}
	return Reply{Code: 250, Text: strings.Join(lines, "\n")}.wire()
}
