package sink

import (
	"encoding/binary"
	"io"
	"time"
)

// proxied takes a PROXY header, a line or binary, as it is.
func (d *dialogue) proxied() error {
	if err := d.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return err
	}
	first, err := d.r.Peek(1)
	if err != nil {
		return err
	}
	var head []byte
	if first[0] == 'P' {
		head, err = d.r.ReadSlice('\n')
	} else if head, err = d.r.Peek(16); err == nil {
		head = make([]byte, 16+int(binary.BigEndian.Uint16(head[14:])))
		_, err = io.ReadFull(d.r, head)
	}
	if err != nil {
		return err
	}
	d.sink.mu.Lock()
	defer d.sink.mu.Unlock()
	d.sink.headers = append(d.sink.headers, append([]byte(nil), head...))
	return nil
}

// Proxied returns the PROXY headers received so far, each as it came.
func (s *Sink) Proxied() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.headers...)
}
