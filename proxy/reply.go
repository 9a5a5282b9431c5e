package proxy

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"weir/proxy/backend"
	"weir/rules"
	"weir/scoring"
)

// Reply is what a client is told. This file makes all of them; what a stranger is told names no cause inside.
type Reply struct {
	Code     int
	Enhanced string // "5.7.1", said on every line (RFC 2034); "" when there is none, or Text has its own
	Text     string // lines separated by \n
}

// maxReplyLine is the length of a reply line, CRLF included (RFC 5321 4.5.3.1.5).
const maxReplyLine = 512

// The replies that need nothing filled in.
var (
	replyTooManySessions = Reply{421, "4.3.2", "Too many sessions, try again later"}
	replyTooManyFromYou  = Reply{421, "4.7.0", "Too many sessions from your address, try again later"}
	replyTooManyFromNet  = Reply{421, "4.7.0", "Too many sessions from your network, try again later"}
	replyTooFast         = Reply{421, "4.7.0", "Too many connections from your address lately, try again later"}
	replyTooMuchMail     = Reply{451, "4.7.1", "Too many messages from your address lately, try again later"}
	replyBusy            = Reply{451, "4.3.2", "Too many messages at once, try again later"}
	replyClosing         = Reply{421, "4.3.2", "Service closing, try again later"}
	replyTimeout         = Reply{421, "4.4.2", "Timeout, closing"}
	replyTooManyErrors   = Reply{421, "4.7.0", "Too many errors, closing"}
	replyFault           = Reply{451, "4.3.0", "Local fault, try again later"}
	replyNoSpace         = Reply{452, "4.3.1", "Out of space, try again later"}
	replyBackendDown     = Reply{451, "4.4.1", "Mail server not available, try again later"}
	replyBackendFailed   = Reply{451, "4.4.2", "Mail server failed, try again later"}
	replyLineTooLong     = Reply{500, "5.5.2", "Line too long"}
	replyControl         = Reply{500, "5.5.2", "A command is printable text that ends in CRLF"}
	replyUnknown         = Reply{500, "5.5.2", "Command not recognized"}
	replyNotSMTP         = Reply{500, "5.5.1", "This is not SMTP, closing"}
	replyNotDone         = Reply{502, "5.5.1", "Command not implemented"}
	replyNoArgument      = Reply{501, "5.5.4", "This command takes no argument"}
	replyArgument        = Reply{501, "5.5.4", "This command needs another argument"}
	replyHello           = Reply{501, "5.5.4", "Say who you are: a domain or an address literal"}
	replyBadSender       = Reply{501, "5.1.7", "Bad sender address syntax"}
	replyBadRecipient    = Reply{501, "5.1.3", "Bad recipient address syntax"}
	replyNotASCII        = Reply{553, "5.6.7", "This address needs SMTPUTF8"}
	replyParameter       = Reply{555, "5.5.4", "Parameter not recognized or not implemented"}
	replyHelloFirst      = Reply{503, "5.5.1", "Say EHLO first"}
	replyMailTwice       = Reply{503, "5.5.1", "A transaction is open already"}
	replyMailFirst       = Reply{503, "5.5.1", "Say MAIL first"}
	replyNeedsTLS        = Reply{530, "5.7.0", "Say STARTTLS first"}
	replyNeedsAuth       = Reply{530, "5.7.0", "Authentication required"}
	replyAuthOnce        = Reply{503, "5.5.1", "Authentication has no place here"}
	replyAuthLater       = Reply{454, "4.7.0", "Authentication not possible now, try again later"}
	replyMechanism       = Reply{504, "5.5.4", "Mechanism not available"}
	replyLoginLost       = Reply{421, "4.4.2", "Mail server lost, connect again"}
	replyRcptFirst       = Reply{503, "5.5.1", "Say RCPT first"}
	replyInChunks        = Reply{503, "5.5.1", "A message is coming by BDAT"}
	replyChunk           = Reply{250, "2.0.0", "Chunk taken"}
	replyChunkSize       = Reply{501, "5.5.4", "Say how many octets follow; closing"}
	replyDone            = Reply{250, "2.0.0", "Done"}
	replyNoRecipients    = Reply{554, "5.5.1", "No valid recipients"}
	replyForbidden       = Reply{550, "5.7.0", "You may not use this command"}
	replyTLSOn           = Reply{503, "5.5.1", "TLS is on already"}
	replyStartTLS        = Reply{220, "2.0.0", "Start TLS"}
	replyVerify          = Reply{252, "2.5.0", "Send mail and see"}
	replyHelp            = Reply{214, "2.0.0", "RFC 5321 says all"}
	replySender          = Reply{250, "2.1.0", "Sender ok"}
	replyTooLarge        = Reply{552, "5.3.4", "Message larger than the limit"}
	replyTooManyRcpts    = Reply{452, "4.5.3", "Too many recipients, send the rest apart"}
	replyPolicySplit     = Reply{452, "4.5.3", "This recipient is judged apart, send it apart"}
	replyRouteSplit      = Reply{452, "4.5.3", "This recipient's mail goes elsewhere, send it apart"}
	replyRelay           = Reply{550, "5.7.1", "Relaying denied"}
	replyLineEnds        = Reply{550, "5.6.11", "Message with bare CR, bare LF or NUL; lines end in CRLF. Closing"}
	replyTooManyHops     = Reply{554, "5.4.6", "Too many hops"}
	replyBackendNoUTF8   = Reply{550, "5.6.7", "The mail server does not take SMTPUTF8"}
	replyBackendNotSafe  = Reply{550, "5.7.30", "The way to the mail server is not safe enough for REQUIRETLS"}
	replyBackendNo8Bit   = Reply{554, "5.6.3", "The mail server does not take 8-bit mail"}
	replyBackendNoBinary = Reply{554, "5.6.3", "The mail server does not take BINARYMIME"}
	replyBinaryByBDAT    = Reply{503, "5.5.1", "BODY=BINARYMIME goes by BDAT"}
)

// firstLine begins a greeting of several lines (RFC 5321 4.2.1), the last of which is still to come.
func firstLine(host string) []byte { return []byte("220-" + host + " ESMTP, one moment\r\n") }

// challengeLine is a challenge of an authentication (RFC 4954 4).
func challengeLine(text string) []byte { return []byte("334 " + asciiText(text) + "\r\n") }

// RefusalFor is the reply to a verdict of Reject or Defer under set. id is the record's, by which the sender can ask.
func RefusalFor(set *rules.Set, v *scoring.Verdict, id string) Reply {
	reply := Reply{550, "5.7.1", set.RejectMessage(v.Reasons, id)}
	if v.Action == rules.Defer {
		reply = Reply{451, "4.7.1", set.DeferMessage(v.Reasons, id)}
	}
	reply.Text = asciiText(reply.Text)
	if !strings.Contains(reply.Text, id) {
		reply.Text += " Reference " + id
	}
	return reply
}

// replyOf is the reply to a message that could not be received. That of a client that is gone goes nowhere.
func replyOf(err error) Reply {
	switch {
	case errors.Is(err, errLineEnds):
		return replyLineEnds
	case errors.Is(err, errTooLarge), errors.Is(err, errTooMuch):
		return replyTooLarge
	case errors.Is(err, errNoSpace):
		return replyNoSpace
	case errors.Is(err, errNoRoom):
		return replyBusy
	case errors.Is(err, errSpool):
		return replyFault
	}
	return replyTimeout
}

// fromBackend is a reply of the server behind, word for word. Its 421 speaks of its own connection, not of the
// client's, so the client hears 451 with the same text.
func fromBackend(b backend.Reply) Reply {
	r := Reply{Code: b.Code, Text: strings.Join(b.Lines, "\n")}
	if r.Code == 421 {
		r.Code = 451
	}
	enhanced, _, _ := strings.Cut(b.Lines[0], " ")
	if !isEnhanced(enhanced) {
		return r
	}
	lines := make([]string, len(b.Lines))
	for i, line := range b.Lines {
		rest, ok := strings.CutPrefix(line, enhanced+" ")
		if !ok && line != enhanced {
			return r
		}
		lines[i] = rest
	}
	return Reply{r.Code, enhanced, strings.Join(lines, "\n")}
}

// isEnhanced reports whether s is an enhanced status code (RFC 3463 2).
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || !strings.Contains("245", parts[0]) {
		return false
	}
	for _, p := range parts[1:] {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil || len(p) > 3 {
			return false
		}
	}
	return true
}

// wire writes the reply as it goes to the client: lines too long are continued on the next.
func (r Reply) wire() []byte {
	prefix := ""
	if r.Enhanced != "" {
		prefix = r.Enhanced + " "
	}
	var lines []string
	for line := range strings.SplitSeq(r.Text, "\n") {
		lines = append(lines, wrap(line, maxReplyLine-len("250 \r\n")-len(prefix))...)
	}
	var out []byte
	for i, line := range lines {
		out = strconv.AppendInt(out, int64(r.Code), 10)
		switch {
		case i < len(lines)-1:
			out = append(out, '-')
		case prefix+line != "":
			out = append(out, ' ')
		}
		out = append(append(out, prefix...), line...)
		out = append(out, "\r\n"...)
	}
	return out
}

// wrap cuts s into pieces of at most limit bytes, between words where it can and never within a character.
func wrap(s string, limit int) []string {
	var out []string
	for len(s) > limit {
		cut := strings.LastIndexByte(s[:limit], ' ') + 1
		for cut == 0 || !utf8.RuneStart(s[cut]) {
			if cut == 0 {
				cut = limit + 1
			}
			cut--
		}
		out = append(out, strings.TrimRight(s[:cut], " "))
		s = s[cut:]
	}
	return append(out, s)
}

// err carries the reply's class through go-smtp, which decides by it what state follows. The client reads the reply
// itself: the gate writes it instead of what go-smtp makes of the error.
func (r Reply) err() error {
	if r.Code/100 == 2 {
		return nil
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.NoEnhancedCode, Message: asciiText(r.Text)}
}

// asciiText replaces everything that is not printable ASCII.
func asciiText(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}

// String writes the reply on one line, for records.
func (r Reply) String() string {
	return strings.Join(strings.Fields(strconv.Itoa(r.Code)+" "+r.Enhanced+" "+r.Text), " ")
}
