package replay

import (
	"encoding/json"
	"net/netip"
	"slices"

	"weir/filters"
	"weir/rules"
	"weir/scoring/verdictlog"
)

// derives reports whether the rules have symbols that follow from what every record holds: who has sent a message to whom,
// and who is proven to have. These are looked for again.
func (k *known) derives() bool {
	return !k.same && len(k.set.Bulk.Exempt)+len(k.set.Who) > 0
}

// appendDeriving appends to a key what such symbols follow from.
func (b *brief) appendDeriving(key []byte, set *rules.Set) []byte {
	key = append(append(key, b.auth...), byte('0'+len(b.bulk)%2))
	if len(set.Who) > 0 {
		key = append(b.appendParty(key), b.envelope...)
	}
	return key
}

// derived is hits with the symbols that hold under the new rules and lists instead of those that held. Whether the hidden
// hold nobody can tell any more, since who sent and got the message was hashed or dropped.
func (b *brief) derived(hits []filters.Hit, set *rules.Set) (all []filters.Hit, hidden []string, err error) {
	var auth verdictlog.Auth
	if len(b.auth) > 0 {
		if err := json.Unmarshal(b.auth, &auth); err != nil {
			return nil, nil, err
		}
	}
	again := func(symbol string, holds bool) {
		hits = slices.DeleteFunc(hits, func(h filters.Hit) bool { return h.Symbol == symbol })
		if holds {
			hits = append(hits, filters.Hit{Symbol: symbol})
		}
	}
	for _, e := range set.Bulk.Exempt {
		again(e.Symbol, len(b.bulk) > 0 && e.Signers != nil && slices.ContainsFunc(auth.Domains, e.Signers.HasDomain))
	}
	if len(set.Who) == 0 {
		return hits, nil, nil
	}
	whose, to, err := b.parties()
	if err != nil {
		return nil, nil, err
	}
	fromHidden := verdictlog.Redacted(whose.Sender) || verdictlog.Redacted(whose.User)
	toHidden := slices.ContainsFunc(to, verdictlog.Redacted)
	for i := range set.Who {
		w := &set.Who[i]
		isHidden := w.AsksSender() && fromHidden || w.AsksRecipient() && toHidden
		again(w.Symbol, !isHidden && w.Holds(whose, to, auth.Domains))
		if isHidden {
			hidden = append(hidden, w.Symbol)
		}
	}
	return hits, hidden, nil
}

// parties are whom a message was from and its recipients; those that were refused if there are no others.
func (b *brief) parties() (w rules.Whose, to []string, err error) {
	var e verdictlog.Envelope
	var s verdictlog.Session
	if err := json.Unmarshal(b.envelope, &e); err != nil {
		return w, nil, err
	}
	if err := json.Unmarshal(b.session, &s); err != nil {
		return w, nil, err
	}
	if len(e.To) > 0 {
		return whoseOf(e, s), e.To, nil
	}
	for _, r := range e.RcptRejected {
		to = append(to, r.To)
	}
	return whoseOf(e, s), to, nil
}

// whoseOf is whom a recorded message was from.
func whoseOf(e verdictlog.Envelope, s verdictlog.Session) rules.Whose {
	w := rules.Whose{Sender: e.From, User: s.User, Listener: s.Listener}
	w.Addr, _ = netip.ParseAddr(s.Client.IP) // of none it stays none
	return w
}
