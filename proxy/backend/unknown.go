package backend

import (
	"strings"
	"sync"
	"time"
)

const (
	maxUnknown     = 10_000 // recipients remembered
	maxUnknownText = 512    // bytes of a reply that is remembered
)

// unknown remembers which recipients a server does not know, so that it need not be asked again and again by who tries
// names. The oldest are forgotten first, each after its life.
type unknown struct {
	mu    sync.Mutex
	said  map[string]remembered
	queue []remembered // in the order of their ends
}

type remembered struct {
	path  string
	reply Reply
	until time.Time
}

// learn remembers reply, if it says that there is no such recipient, for life.
func (u *unknown) learn(path string, reply Reply, life time.Duration) {
	if life <= 0 || !isUnknown(reply) {
		return
	}
	now := time.Now()
	r := remembered{foldDomain(path), reply, now.Add(life)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(now)
	if _, ok := u.said[r.path]; ok {
		return
	}
	if u.said == nil {
		u.said = map[string]remembered{}
	}
	u.said[r.path] = r
	u.queue = append(u.queue, r)
}

// reply is what the server said of path a while ago.
func (u *unknown) reply(path string) (Reply, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(time.Now())
	r, ok := u.said[foldDomain(path)]
	return r.reply, ok
}

// forget drops what has lived its life, and leaves room for one more.
func (u *unknown) forget(now time.Time) {
	for len(u.queue) > 0 && (len(u.queue) >= maxUnknown || !now.Before(u.queue[0].until)) {
		delete(u.said, u.queue[0].path)
		u.queue = u.queue[1:]
	}
}

// isUnknown reports whether a refusal is about the recipient's address alone, whoever writes: bad mailbox, moved, or
// none by that name (RFC 3463 3.2, RFC 7505 4.2). Other 5xx may depend on sender, client or hour.
func isUnknown(r Reply) bool {
	if r.Code/100 != 5 || len(r.String()) > maxUnknownText {
		return false
	}
	enhanced, _, _ := strings.Cut(r.Lines[0], " ")
	return enhanced == "5.1.1" || enhanced == "5.1.6" || enhanced == "5.1.10"
}

// foldDomain writes the domain of a path in lower case; the local part is the server's matter.
func foldDomain(path string) string {
	at := strings.LastIndexByte(path, '@') + 1
	return path[:at] + strings.ToLower(path[at:])
}
