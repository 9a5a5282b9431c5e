package proxy

import (
	"errors"
	"strings"
	"time"

	"weir/proxy/backend"
	"weir/scoring"
)

// offer passes a recipient on to the backend, which is opened with the first one, and returns what it says.
func (t *transaction) offer(to path, params []string) Reply {
	began := time.Now()
	defer func() { t.account.backend += time.Since(began) }()
	t.account.by = scoring.ByBackend
	route := t.route(to)
	if t.behind == nil && len(t.to) > 0 {
		return replyBackendFailed // those accepted so far were lost with the connection
	}
	if t.behind != nil && !t.behind.Of(route) {
		if len(t.to) > 0 {
			return t.front(replyRouteSplit)
		}
		t.behind.Free() // nobody was accepted there
		t.behind = nil
	}
	if said, ok := route.Unknown(to.wire()); ok {
		t.account.answer = said.String()
		return fromBackend(said)
	}
	if t.behind == nil {
		if refusal := t.open(route); refusal != nil {
			return *refusal
		}
	}
	if most := t.behind.Offer.MaxRecipients(); most > 0 && len(t.to) >= most {
		return t.front(replyTooManyRcpts)
	}
	said, err := t.behind.Rcpt(to.wire(), taken(params, t.behind.Offer))
	if errors.Is(err, backend.ErrStale) { // nothing was said on it: once more on a new one
		t.behind.Close()
		t.behind = nil
		if refusal := t.open(route); refusal != nil {
			return *refusal
		}
		said, err = t.behind.Rcpt(to.wire(), taken(params, t.behind.Offer))
	}
	if err != nil {
		return t.failed(err, replyBackendFailed)
	}
	t.account.answer = said.String()
	return fromBackend(said)
}

// route is where a recipient's mail goes. What users send goes to where they have authenticated.
func (t *transaction) route(to path) *backend.Backend {
	settings := t.gate.client.settings
	if t.trial.Mail.Session.User != "" {
		return settings.Backend
	}
	return settings.route(to.domain())
}

// open begins the transaction with the backend; the reply says why it could not.
func (t *transaction) open(route *backend.Backend) *Reply {
	conn, err := t.connect(route)
	var refusal *backend.Refusal
	if errors.As(err, &refusal) {
		r := t.failed(err, fromBackend(refusal.Reply))
		return &r
	}
	if err != nil {
		r := t.failed(err, replyBackendDown)
		if t.gate.client.user != "" {
			r = replyLoginLost
		}
		return &r
	}
	t.account.addr = conn.Addr
	if refusal := t.beyond(conn.Offer); refusal != nil {
		conn.Rest()
		t.spare = conn
		return refusal
	}
	t.behind = conn
	if err := conn.Trace(t.id); err != nil {
		r := t.failed(err, replyBackendDown)
		return &r
	}
	conn.Mail(t.from.wire(), taken(t.params, conn.Offer))
	return nil
}

// beyond refuses the message if it needs what a server with this offer does not take; nil if there is no such thing.
func (t *transaction) beyond(offer backend.Extensions) *Reply {
	sealed := command{params: t.params}
	switch _, asked := sealed.param("REQUIRETLS"); {
	case t.gate.state.asUTF8 && !offer.Has("SMTPUTF8"): // RFC 6531 3.1
		return &replyBackendNoUTF8
	case asked && !offer.Has("REQUIRETLS"): // RFC 8689 4.2.1
		return &replyBackendNotSafe
	case t.gate.state.asBinary && !takesBinary(offer):
		return &replyBackendNoBinary
	}
	return nil
}

// takesBinary reports whether a server with this offer takes BODY=BINARYMIME, which goes by BDAT alone (RFC 3030 3).
func takesBinary(offer backend.Extensions) bool {
	return offer.Has("BINARYMIME") && offer.Has("CHUNKING")
}

// errLoginLost means that the connection on which a user has authenticated has ended.
var errLoginLost = errors.New("the user's connection was lost")

// connect resumes the connection of the transaction before, or opens another if it has ended since or was in the name
// of what the client no longer claims to be, or elsewhere.
func (t *transaction) connect(route *backend.Backend) (*backend.Conn, error) {
	spare, who := t.spare, t.client()
	t.spare = nil
	if who.User != "" { // only the user can authenticate again
		if spare == nil {
			return nil, errLoginLost
		}
		return spare, spare.Resume()
	}
	if spare != nil && spare.Of(route) && spare.Client == who && spare.Resume() == nil {
		return spare, nil
	}
	if spare != nil {
		spare.Free()
	}
	return route.OpenFor(t.gate.client.ctx, who)
}

// client is whom the server behind may hear of.
func (t *transaction) client() backend.Client {
	s := t.trial.Mail.Session.Connected()
	who := backend.Client{
		Addr: s.Addr, Local: addrOf(t.gate.LocalAddr()), NameKnown: s.ReverseKnown, Hello: s.Hello, Proto: "SMTP", User: s.User,
	}
	if t.gate.state.esmtp {
		who.Proto = "ESMTP"
	}
	if s.ReverseOK {
		who.Name = s.ReverseName
	}
	return who
}

// taken leaves of parameters those that a server with this offer takes. SIZE is a help and DSN a wish, so they may be
// dropped (RFC 1870 5, RFC 3461 5.2.2); what BODY promises is seen to when the message is there.
func taken(params []string, offer backend.Extensions) []string {
	var out []string
	for _, p := range params {
		key, _, _ := strings.Cut(strings.ToUpper(p), "=")
		extension := key
		switch key {
		case "BODY":
			extension = "8BITMIME"
			if strings.EqualFold(p, binaryBody) {
				extension = "BINARYMIME"
			}
		case "RET", "ENVID", "NOTIFY", "ORCPT":
			extension = "DSN"
		}
		if offer.Has(extension) {
			out = append(out, p)
		}
	}
	return out
}

// forward hands the message to the backend: our headers, then the bytes received without foreign copies of them.
func (t *transaction) forward(raw []byte) Reply {
	began := time.Now()
	defer func() { t.account.backend += time.Since(began) }()
	if t.behind == nil {
		t.account.by = scoring.ByBackend
		return replyBackendFailed
	}
	kept, stripped := withoutOurs(raw, t.gate.server.Hostname)
	t.account.stripped = stripped
	parts := append([][]byte{t.headers(raw)}, kept...)
	if mark := t.mark(); mark != "" {
		parts, t.account.marked = marked(parts, mark)
	}
	offer := t.behind.Offer
	switch {
	case offer.MaxSize() > 0 && total(parts) > offer.MaxSize():
		return t.front(replyTooLarge)
	case !offer.Has("8BITMIME") && t.withParam("BODY", "8BITMIME") && !isASCII(string(raw)): // RFC 6152 3
		return t.front(replyBackendNo8Bit)
	}
	said, err := t.hand(parts)
	if err != nil {
		t.account.by = scoring.ByBackend
		return t.failed(err, replyBackendFailed)
	}
	t.account.answer = said.String()
	if said.Refusal() {
		t.account.by = scoring.ByBackend
	}
	return fromBackend(said)
}

// headers are those of ours for this message.
func (t *transaction) headers(raw []byte) []byte {
	s := t.gate.server
	h := Headers(HeaderInput{
		Hostname: s.Hostname, Version: s.Version, ID: t.id, Mail: t.trial.Mail, Verdict: t.judged.Verdict,
	})
	if len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t') { // it would continue our last header
		h = append(h, "X-Weir-Note: the message begins within a header\r\n"...)
	}
	return h
}

// hand gives the server the message, of which our headers are the first part. Text goes by DATA, which every server has
// always taken.
func (t *transaction) hand(parts [][]byte) (backend.Reply, error) {
	if t.gate.state.asBinary {
		return t.behind.Binary(parts[0], parts[1:]...)
	}
	return t.behind.Data(parts...)
}

func total(parts [][]byte) int64 {
	var n int64
	for _, p := range parts {
		n += int64(len(p))
	}
	return n
}

// failed is the reply when the backend has let us down. The cause is for the operator alone.
func (t *transaction) failed(err error, r Reply) Reply {
	t.gate.server.logger().Warn("the backend failed", "id", t.id, "err", err)
	t.account.answer = err.Error()
	if t.behind != nil {
		t.behind.Close()
		t.behind = nil
	}
	return r
}
