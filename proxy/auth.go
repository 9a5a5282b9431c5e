package proxy

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"weir/proxy/backend"
)

// Users authenticate on outbound listeners, with the server behind: what they say is passed on and kept nowhere. All
// that we take note of is the name, which every mechanism here says in the client's first message.

// mechanisms are those that can be passed on: the client proves nothing about our connection, and says who it is.
var mechanisms = []string{"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}

const maxUser = 255

// authOffer lists the mechanisms that this client may use now, in our order; none is "".
func (g *gate) authOffer() string {
	if !g.client.listener.Outbound || g.client.tls == "" || g.client.user != "" {
		return ""
	}
	behind := strings.Fields(strings.ToUpper(g.client.settings.Backend.Offers()["AUTH"]))
	var out []string
	for _, m := range mechanisms {
		if slices.Contains(behind, m) {
			out = append(out, m)
		}
	}
	return strings.Join(out, " ")
}

// auth passes an authentication on (RFC 4954 4).
func (g *gate) auth() error {
	mechanism, initial, given := strings.Cut(g.cmd.arg, " ")
	mechanism = strings.ToUpper(mechanism)
	switch {
	case !g.client.listener.Outbound:
		g.say(replyNotDone)
	case g.client.tls == "":
		g.say(replyNeedsTLS)
	case !g.state.esmtp:
		g.say(replyHelloFirst)
	case g.state.mail || g.client.user != "":
		g.say(replyAuthOnce)
	case mechanism == "", !isBase64(initial):
		g.say(replyArgument)
	case !slices.Contains(strings.Fields(g.authOffer()), mechanism):
		g.say(replyMechanism)
	default:
		return g.exchange(mechanism, initial, given)
	}
	return nil
}

// exchange lets the client and the server behind talk until the server has decided.
func (g *gate) exchange(mechanism, initial string, given bool) error {
	conn, err := g.client.settings.Backend.OpenFor(g.client.ctx, g.whoAmI())
	if err != nil {
		g.server.logger().Warn("no server to authenticate with", "session", g.client.id, "err", err)
		g.say(replyAuthLater)
		return nil
	}
	first, command := initial, mechanism
	if given {
		command += " " + initial
	}
	var lost error
	reply, err := conn.Auth(command, func(challenge string) (string, error) {
		var line string
		if line, lost = g.challenge(challenge); !given {
			first, given = line, true
		}
		return line, lost
	})
	switch {
	case lost != nil:
		conn.Close()
		return lost
	case err != nil:
		g.server.logger().Warn("the backend failed", "session", g.client.id, "err", err)
		conn.Close()
		g.say(replyAuthLater)
	case !reply.OK():
		conn.Quit()
		g.say(fromBackend(reply))
	default:
		conn.Rest()
		g.login, g.client.user = conn, userOf(mechanism, first)
		g.say(fromBackend(reply))
	}
	return nil
}

// challenge says what the server behind wants to know and brings the client's line.
func (g *gate) challenge(text string) (string, error) {
	g.out = append(g.out, challengeLine(text)...)
	if err := g.flush(); err != nil {
		return "", err
	}
	line, err := g.readLine(maxAuth)
	if err != nil && !errors.Is(err, errLineTooLong) {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || !isBase64(text) {
		return "*", nil // it is no answer, so the exchange ends (RFC 4954 4)
	}
	return text, nil
}

func isBase64(s string) bool { return strings.Trim(s, base64Letters) == "" }

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

// userOf reads the user from the client's first message. Who was let in without a name is "?".
func userOf(mechanism, first string) string {
	text, err := base64.StdEncoding.DecodeString(first)
	if err != nil {
		return "?"
	}
	said, user := string(text), ""
	switch {
	case mechanism == "PLAIN": // RFC 4616: authzid NUL authcid NUL password
		if words := strings.Split(said, "\x00"); len(words) == 3 {
			user = words[1]
		}
	case mechanism == "LOGIN":
		user = said
	case mechanism == "CRAM-MD5": // RFC 2195: user SP digest
		user, _, _ = strings.Cut(said, " ")
	case mechanism == "XOAUTH2":
		user = between(said, "user=", "\x01")
	case mechanism == "OAUTHBEARER": // RFC 7628
		user = between(said, "a=", ",")
	default: // RFC 5802
		user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(between(said, "n=", ","))
	}
	if user = asciiText(user[:min(len(user), maxUser)]); user == "" {
		return "?"
	}
	return user
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// whoAmI is what the server behind may hear of a client that authenticates.
func (g *gate) whoAmI() backend.Client {
	return backend.Client{Addr: g.client.addr, Local: addrOf(g.LocalAddr()), Hello: g.state.hello, Proto: "ESMTP"}
}
