package proxy

import "strings"

// maxNode is the length of a name behind ETRN.
const maxNode = 255

// mayStart reports whether the client may start queues of the server behind: a user or a trusted peer, and that server
// offers it.
func (g *gate) mayStart() bool {
	return (g.client.user != "" || g.client.speaks) && g.client.settings.Backend.Offers().Has("ETRN")
}

// etrn passes ETRN on (RFC 1985), on a connection of its own.
func (g *gate) etrn() error {
	switch {
	case !g.mayStart():
		g.junk()
		g.say(replyNotDone)
	case g.state.hello == "":
		g.say(replyHelloFirst)
	case g.state.mail:
		g.say(replyMailTwice)
	case g.cmd.arg == "" || len(g.cmd.arg) > maxNode || !isASCII(g.cmd.arg) || strings.ContainsAny(g.cmd.arg, " \t"):
		g.say(replyArgument)
	default:
		g.say(g.start(g.cmd.arg))
	}
	return nil
}

func (g *gate) start(node string) Reply {
	conn, err := g.client.settings.Backend.OpenFor(g.client.ctx, g.whoAmI())
	if err != nil {
		g.server.logger().Warn("the backend failed", "session", g.client.id, "err", err)
		return replyBackendDown
	}
	defer conn.Quit()
	said, err := conn.Start(node)
	if err != nil {
		g.server.logger().Warn("the backend failed", "session", g.client.id, "err", err)
		return replyBackendFailed
	}
	return fromBackend(said)
}
