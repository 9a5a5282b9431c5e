package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxRounds = 10               // challenges of one authentication; no mechanism needs more than four
	ownedFor  = 10 * time.Minute // how long the connection of a user may rest
)

var (
	errRounds    = errors.New("the authentication does not end")
	errMechanism = errors.New("the server does not offer this mechanism, or the way to it is not safe for it")
)

// Auth passes an authentication on (RFC 4954 4). first is the mechanism, with the initial response if there is one;
// answer brings the client's line for a challenge. Both are passed as they are and kept nowhere. A mechanism that is not
// offered on this connection is an error before anything was said. The reply returned is the server's last one; with 235
// the connection is the user's, and may rest longer than others.
func (c *Conn) Auth(first string, answer func(challenge string) (string, error)) (Reply, error) {
	mechanism, _, _ := strings.Cut(first, " ")
	if !slices.Contains(strings.Fields(strings.ToUpper(c.Offer["AUTH"])), strings.ToUpper(mechanism)) {
		return Reply{}, fmt.Errorf("AUTH: %w", errMechanism)
	}
	line := "AUTH " + first
	for range maxRounds {
		reply, err := c.exchange(line+"\r\n", time.Now().Add(c.backend.wait()))
		switch {
		case err != nil:
			return Reply{}, fmt.Errorf("AUTH: %w", err)
		case reply.Code == 235:
			c.owned = true
			return reply, nil
		case reply.Refusal():
			return reply, nil
		case reply.Code != 334:
			c.broken = true
			return Reply{}, fmt.Errorf("AUTH: %w: %s", errCode, reply)
		}
		if line, err = answer(reply.Lines[0]); err != nil {
			c.broken = true
			return Reply{}, fmt.Errorf("answering a challenge: %w", err)
		}
	}
	c.broken = true
	return Reply{}, errRounds
}
