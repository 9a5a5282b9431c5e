package rules

import (
	"fmt"

	"weir/rules/strict"
)

// allowing reports a symbol that lets mail pass where that makes no sense.
func (l *loading) allowing(at strict.Value, s Symbol) {
	if s.Mode != Allow {
		return
	}
	if s.Points > 0 {
		l.warnAt(at, codeAllow, fmt.Sprintf("%s counts %s against mail that it lets pass", s.Name, s.Points), "give it no score, or one below 0")
	}
	if !s.Until.IsZero() {
		l.warnAt(at, codeAllow, fmt.Sprintf("%s lets mail pass after its `until:` as well, with a warning here", s.Name), "drop the rule in time, or try it with `mode: shadow`")
	}
}

// forgeable reports a rule that lets mail pass by what anybody can write.
func (l *loading) forgeable(r *ruleDoc) {
	if r.Mode.V != Allow {
		return
	}
	what := ""
	switch w := r.Who; {
	case r.Header != nil || r.Body != nil || r.URL != nil || r.Attachment != nil || r.HTML != nil:
		what = "anybody can write what it looks for into a message"
	case w != nil && w.Whose.Sender != nil && w.Whose.Net == nil && w.Whose.User == nil && w.Proven == nil:
		what = "anybody can give this sender"
	default:
		return
	}
	l.warnAt(r.Mode.At, codeAllow, fmt.Sprintf("%s lets mail pass, and %s", r.ID.V, what),
		"bind it to who is proven to have sent the message: `who: { proven: … }`, or to `net:` or `user:`")
}

// against reports that what only ever speaks against a message lets it pass.
func (l *loading) against(mode said[Mode], what string) {
	if mode.V == Allow {
		l.hintAt(mode.At, codeAllow, what+" cannot let mail pass", "its mode is weighted, hard or shadow")
	}
}

// allowedBy reports an answer of a list that lets mail pass by what anybody can write.
func (l *loading) allowedBy(at strict.Value, mode Mode, asks []Ask) {
	if mode != Allow {
		return
	}
	for _, ask := range asks {
		if ask != AskClientIP && ask != AskRDNS && ask != AskDKIMDomain {
			l.warnAt(at, codeAllow, fmt.Sprintf("this answer lets mail pass, and anybody can write what the list is asked for: %s", ask),
				"ask the list for client_ip, or give the answer a score below 0 instead")
			return
		}
	}
}
