package proxy

import (
	"errors"
	"os"
	"strings"
	"time"
)

// A message may come in chunks (BDAT, RFC 3030 2). To go-smtp and to everything behind it, it is one that comes by DATA:
// go-smtp reads a DATA with the first chunk, then the octets of all of them with the dots doubled, and after the last the
// end of data. So one way leads from a message to its verdict, its server and its reply. BINARYMIME is not offered.

// errDropped means that the client has given its message up between two chunks.
var errDropped = errors.New("the client dropped its message")

// chunks is a message that comes so. Its octets are held to what those of a message by DATA are held to: a bare CR, a
// bare LF or a NUL is errLineEnds, or mended. The zero value stands before the first octet.
type chunks struct {
	chunk          // at hand
	mend    bool   // bare CR and LF
	inLine  bool   // the last octets are no CRLF
	cr      bool   // the last octet is a CR
	dropped error  // why there will be no message; nil while there may be
	then    string // the command behind which there will be none, which go-smtp reads when it has done with the message
	cmd     command
}

// chunk is what BDAT announces.
type chunk struct {
	left int64 // of its octets
	last bool
}

// readChunk reads the argument of BDAT.
func readChunk(arg string) (chunk, error) {
	words := strings.Fields(arg)
	if len(words) == 0 || len(words) > 2 || len(words) == 2 && !strings.EqualFold(words[1], "LAST") {
		return chunk{}, errPath
	}
	n, err := octets(words[0])
	return chunk{n, len(words) == 2}, err
}

// bdat takes a chunk, or refuses it when its octets are read and forgotten, lest they be taken for commands. Where nobody
// can know how many they are, or they are too many to wait for, the session ends.
func (g *gate) bdat() error {
	next, err := readChunk(g.cmd.arg)
	refusal := g.chunkRefusal()
	switch {
	case err != nil:
		return g.hangUp(replyChunkSize)
	case next.left > 2*g.client.settings.maxSize():
		return g.hangUp(replyTooLarge)
	case refusal != nil:
		g.body = g.transfer()
		if err := g.forget(next.left); err != nil {
			return err
		}
		g.say(*refusal)
	case g.phase == inMessage:
		g.body.chunks.chunk = next
	default:
		g.body = g.transfer()
		g.body.chunks = &chunks{chunk: next, mend: g.client.settings.Dialogue.Mend}
		g.pass("DATA\r\n")
	}
	if next.left == 0 && !next.last {
		g.junk()
	}
	return nil
}

func (g *gate) chunkRefusal() *Reply {
	switch {
	case !g.state.chunks:
		return &replyNotDone
	case !g.state.mail:
		return &replyMailFirst
	case g.state.rcpts == 0:
		return &replyNoRecipients
	}
	return nil
}

// forget reads n octets of a chunk, at the pace of a message, and drops them.
func (g *gate) forget(n int64) error {
	for n > 0 {
		waiting, err := g.more()
		if err != nil {
			return err
		}
		m := min(n, int64(len(waiting)))
		g.received(int(m))
		n -= m
	}
	return nil
}

// readChunks hands over the next bytes of the message for go-smtp.
func (g *gate) readChunks(p []byte) (handed []byte, err error) {
	c := g.body.chunks
	for c.left == 0 && !c.last && c.dropped == nil {
		if err := g.nextChunk(); err != nil {
			return nil, err
		}
	}
	if c.dropped == nil && g.body.size+c.left > g.client.settings.maxSize() {
		if err := g.forget(c.left); err != nil {
			return nil, err
		}
		g.say(replyTooLarge)
		c.dropped = errTooLarge
	}
	if c.left == 0 || c.dropped != nil {
		g.phase, g.cmd = inCommands, command{verb: theMessage}
		return c.end(p[:0:len(p)])
	}
	waiting, err := g.more()
	if err != nil {
		return nil, err
	}
	n := min(int64(len(p)), int64(len(waiting)), c.left)
	handed, err = c.take(p[:0:len(p)], waiting[:n])
	g.received(int(n))
	c.left -= n
	return handed, err
}

// nextChunk answers a chunk that is not the last and reads commands until there is another. One that ends the
// transaction or the session drops the message.
func (g *gate) nextChunk() error {
	c := g.body.chunks
	g.cmd = command{verb: "BDAT"}
	g.say(replyChunk)
	if err := g.nextCommand(); err != nil {
		return err
	}
	if len(g.line) > 0 {
		c.dropped, c.cmd, c.then = errDropped, g.cmd, string(g.line)
		g.line = g.line[:0]
	}
	if time.Now().After(g.body.due) { // it drips
		return os.ErrDeadlineExceeded
	}
	return nil
}

// afterDrop makes the end of a message that was dropped: nothing is said about it, and go-smtp gets the command that
// waited for it.
func (g *gate) afterDrop() {
	c := g.body.chunks
	g.said, g.answer = g.said[:0], nil
	g.transaction(false)
	g.cmd, g.body = c.cmd, transfer{}
	g.pass(c.then)
}

// take appends octets of a chunk to dst as they are in a message by DATA. There are at most four for one.
func (c *chunks) take(dst, octets []byte) ([]byte, error) {
	for _, b := range octets {
		bare := c.cr != (b == '\n')
		switch {
		case b == 0, bare && !c.mend:
			return dst, errLineEnds
		case bare && c.cr:
			dst, c.inLine = append(dst, '\n'), false
		}
		if bare && b == '\n' {
			dst = append(dst, '\r')
		}
		if b == '.' && !c.inLine {
			dst = append(dst, '.')
		}
		dst = append(dst, b)
		c.cr, c.inLine = b == '\r', b != '\n'
	}
	return dst, nil
}

// end appends the end of data. A last line without CRLF gets one: DATA cannot say it otherwise.
func (c *chunks) end(dst []byte) ([]byte, error) {
	switch {
	case c.cr && !c.mend && c.dropped == nil:
		return dst, errLineEnds
	case c.cr:
		dst = append(dst, '\n')
	case c.inLine:
		dst = append(dst, "\r\n"...)
	}
	return append(dst, ".\r\n"...), nil
}
