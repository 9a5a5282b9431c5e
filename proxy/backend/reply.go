package backend

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// Bounds of one reply. Servers say less than this; an endless reply is an attack or a fault.
const (
	maxReplyLine  = 4096
	maxReplyLines = 100
)

// Reply is one reply of the server, word for word.
type Reply struct {
	Code  int
	Lines []string // the text after the code of each line, enhanced codes included; at least one
}

// OK reports whether the reply is of class 2.
func (r Reply) OK() bool { return r.Code/100 == 2 }

// Refusal reports whether the reply is of class 4 or 5.
func (r Reply) Refusal() bool { return r.Code/100 == 4 || r.Code/100 == 5 }

// String writes the reply on one line, for records.
func (r Reply) String() string {
	return strings.TrimRight(fmt.Sprintf("%d %s", r.Code, strings.Join(r.Lines, " / ")), " ")
}

// Sentinel errors of a reply that is none.
var (
	errLongReply  = errors.New("the reply does not end")
	errNoReply    = errors.New("this is not an SMTP reply")
	errMixedCodes = errors.New("the lines of the reply disagree on its code")
)

// readReply reads one reply (RFC 5321 4.2). Bytes that have no place in a reply's text are replaced.
// r must have a buffer of at least maxReplyLine.
func readReply(r *bufio.Reader) (Reply, error) {
	var reply Reply
	for range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxReplyLine {
			return Reply{}, errLongReply
		}
		if err != nil {
			return Reply{}, err
		}
		code, more, text, err := parseReplyLine(strings.TrimRight(string(line), "\r\n"))
		if err != nil {
			return Reply{}, err
		}
		if reply.Code != 0 && reply.Code != code {
			return Reply{}, errMixedCodes
		}
		reply.Code = code
		reply.Lines = append(reply.Lines, text)
		if !more {
			return reply, nil
		}
	}
	return Reply{}, errLongReply
}

// parseReplyLine splits "250-text"; more says that another line follows.
func parseReplyLine(line string) (code int, more bool, text string, err error) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, false, "", errNoReply
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, false, "", nil
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", errNoReply
	}
	return code, line[3] == '-', printable(line[4:]), nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// printable replaces control bytes and broken UTF-8, so that no reply can be more than text to who reads it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
