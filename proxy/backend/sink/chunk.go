package sink

import (
	"strconv"
	"strings"
	"time"
)

const chunkPiece = 4096 // octets read at once

// chunk takes a BDAT with its octets (RFC 3030 2), as they are. One that is refused ends the transaction.
func (d *dialogue) chunk(arg string) error {
	size, last, _ := strings.Cut(arg, " ")
	left, err := strconv.Atoi(size)
	if err != nil || left < 0 {
		_ = d.write("501 5.5.4 how many octets?") // it ends either way
		return errEnd
	}
	m, acted := d.open, false
	wanted := m != nil && len(m.Rcpts) > 0
	if !wanted {
		m = &Message{}
	}
	for left > 0 {
		if err := d.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		piece := make([]byte, min(left, chunkPiece))
		n, err := d.r.Read(piece)
		if err != nil {
			return err
		}
		left -= n
		m.Data = append(m.Data, piece[:n]...)
		if err := d.during(m, &acted); err != nil {
			return err
		}
	}
	m.Chunks++
	switch {
	case !wanted:
		return d.write("503 5.5.1 need RCPT")
	case strings.EqualFold(last, "LAST"):
		d.open = nil
		return d.end(m)
	}
	taken, err := d.ask(Chunk, "250 2.0.0 "+size+" octets")
	if !taken {
		d.open = nil
	}
	return err
}
