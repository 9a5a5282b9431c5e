package proxy

import (
	"io"
	"runtime/debug"

	"github.com/emersion/go-smtp"

	"weir/filters"
	"weir/proxy/backend"
)

// session is what go-smtp calls for one client. Its replies reach the client by the gate, word for word. go-smtp makes
// it at the first EHLO; whatever lasts longer than a transaction hangs on the gate.
type session struct {
	gate  *gate
	tx    *transaction  // nil outside of one
	spare *backend.Conn // the backend's connection between transactions, nil if there is none
}

func newSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{gate: c.Conn().(*gate)}, nil
}

// reply gives the client r, and go-smtp what it needs to know of it.
func (s *session) reply(r Reply) error {
	s.gate.server.sessions.ledger.said(r)
	s.gate.answer = &r
	return r.err()
}

// Mail begins a transaction. The gate has checked the command and its path.
func (s *session) Mail(string, *smtp.MailOptions) (err error) {
	defer s.contain(&err)
	s.end()
	if login := s.gate.login; login != nil {
		s.spare, s.gate.login = login, nil
	}
	s.tx = newTransaction(s.gate, s.spare)
	return s.reply(replySender)
}

// Rcpt lets the rules decide whether the client may come to this recipient at all, and then the backend.
func (s *session) Rcpt(string, *smtp.RcptOptions) (err error) {
	defer s.contain(&err)
	r := s.tx.rcpt(s.gate.cmd.path, s.gate.cmd.params)
	if r.Code/100 != 2 {
		s.tx.rejected(s.gate.cmd.path, r)
	}
	return s.reply(r)
}

// Data takes the message, judges it, and hands it to the backend if it may pass. The reply is 250 only if the
// backend's was.
func (s *session) Data(r io.Reader) (err error) {
	defer s.contain(&err)
	defer s.end()
	tx := s.tx
	tx.trial.Recipients(&filters.Envelope{From: tx.from.address, To: tx.to})
	if s.gate.body.chunks != nil {
		r = chunkReader{s.gate}
	}
	message, err := receive(r, s.gate.client.settings.maxSize(), s.gate.server.TempDir)
	defer tx.free(message)
	if c := s.gate.body.chunks; c != nil && err == nil {
		err = c.dropped
	}
	if err != nil {
		return s.reply(tx.notReceived(err))
	}
	room := &s.gate.server.room
	if !room.enter(s.gate.client.ctx, message.size, s.gate.client.settings.Limits.scanning()) {
		return s.reply(tx.notReceived(errNoRoom))
	}
	defer room.leave(message.size)
	reply := tx.conclude(message.bytes())
	if reply.Code/100 == 2 {
		s.gate.befriend()
	}
	return s.reply(reply)
}

// Reset drops the transaction, if one is open: after RSET, EHLO, and every message.
func (s *session) Reset() {
	var err error
	defer s.contain(&err)
	s.end()
}

// Logout is called when the connection ends.
func (s *session) Logout() (err error) {
	defer s.contain(&err)
	s.end()
	if s.spare != nil {
		s.spare.Free()
		s.spare = nil
	}
	return nil
}

func (s *session) end() {
	if tx := s.tx; tx != nil {
		s.tx = nil
		s.spare = tx.end()
	}
}

// contain turns a panic into a reply that makes the client try again.
func (s *session) contain(err *error) {
	if cause := recover(); cause != nil {
		s.gate.server.panicked(s.gate.client, cause, debug.Stack())
		*err = s.reply(replyFault)
	}
}
