package proxy

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

// A message may come in chunks (BDAT, RFC 3030 2). To go-smtp it is an empty one by DATA: the session reads the octets past it,
// and then go-smtp the end of data. So one way leads from a message to its verdict, its server and its reply.
//
// One with BODY=BINARYMIME is taken and passed on octet for octet, by BDAT. Its header is held to what text is held to: who
// looks for fields there may take a bare CR or LF for the end of one.

// errDropped means that the client has given its message up between two chunks.
var errDropped = errors.New("the client dropped its message")

// chunks is a message that comes so. The octets of a text are held to what those of a message by DATA are held to: a bare
// CR, a bare LF or a NUL is errLineEnds, or mended. The zero value stands before the first octet.
type chunks struct {
	chunk         // at hand
	mend   bool   // bare CR and LF
	binary bool   // no text
	inBody bool   // behind the header of one that is no text
	inLine bool   // the last octets are no CRLF
	filled bool   // the line holds more than its end
	cr     bool   // the last octet is a CR
	read   []byte // of the message, not handed to the session yet
	room   []byte // for read
	over   bool   // there is no more

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
		binary := g.state.asBinary
		g.body.chunks = &chunks{chunk: next, binary: binary, mend: g.client.settings.Dialogue.Mend && !binary}
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

// chunkReader is how the session reads a message in chunks.
type chunkReader struct{ gate *gate }

func (r chunkReader) Read(p []byte) (n int, err error) {
	g := r.gate
	defer g.contain(&err)
	if err := g.proceed(); err != nil {
		return 0, err
	}
	c := g.body.chunks
	for len(c.read) == 0 {
		if c.over {
			return 0, io.EOF
		}
		if err := g.readChunks(); err != nil {
			return 0, g.broken(err)
		}
	}
	n = copy(p, c.read)
	c.read = c.read[n:]
	return n, nil
}

// endChunks reads what the session has left of the message, and ends the one by DATA of which go-smtp knows.
func (g *gate) endChunks() error {
	for !g.body.chunks.over {
		if err := g.readChunks(); err != nil {
			return err
		}
	}
	g.phase, g.cmd = inCommands, command{verb: theMessage}
	g.pass(".\r\n")
	return nil
}

// readChunks reads the next octets of the message.
func (g *gate) readChunks() error {
	c := g.body.chunks
	for c.left == 0 && !c.last && c.dropped == nil {
		if err := g.nextChunk(); err != nil {
			return err
		}
	}
	if c.dropped == nil && g.body.size+c.left > g.client.settings.maxSize() {
		if err := g.forget(c.left); err != nil {
			return err
		}
		g.say(replyTooLarge)
		c.dropped = errTooLarge
	}
	if c.left == 0 || c.dropped != nil {
		c.over = true
		return c.end()
	}
	waiting, err := g.more()
	if err != nil {
		return err
	}
	n := min(int64(len(waiting)), c.left)
	err = c.take(waiting[:n])
	g.received(int(n))
	c.left -= n
	return err
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

// take makes of octets of a chunk what is read of the message.
func (c *chunks) take(octets []byte) error {
	c.read = c.room[:0]
	defer func() { c.room = c.read }()
	for i, b := range octets {
		if c.inBody {
			c.read = append(c.read, octets[i:]...)
			return nil
		}
		bare := c.cr != (b == '\n')
		switch {
		case b == 0, bare && !c.mend:
			return errLineEnds
		case bare && c.cr:
			c.read = append(c.read, '\n')
		}
		if bare && b == '\n' {
			c.read = append(c.read, '\r')
		}
		c.read = append(c.read, b)
		c.cr, c.inLine = b == '\r', b != '\n'
		c.inBody = c.binary && b == '\n' && !c.filled
		c.filled = b != '\n' && (c.filled || b != '\r')
	}
	return nil
}

// end makes the end of the message. A last line of text without CRLF gets one: DATA cannot say it otherwise.
func (c *chunks) end() error {
	c.read = c.room[:0]
	switch {
	case c.inBody, c.dropped != nil:
	case c.cr && !c.mend:
		return errLineEnds
	case c.cr:
		c.read = append(c.read, '\n')
	case c.inLine && !c.binary:
		c.read = append(c.read, "\r\n"...)
	}
	return nil
}
