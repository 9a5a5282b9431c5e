package rules

import (
	"fmt"
	"math"
	"time"

	"weir/rules/strict"
)

// bulkFamily is the family of the windows' symbols, which an exemption caps.
const bulkFamily = "bulk"

// maxWindow is how long alike messages are remembered.
const maxWindow = 7 * 24 * time.Hour

// bulk adds what a file says of counting alike messages.
func (l *loading) bulk(doc *fileDoc) {
	for _, w := range doc.Bulk.Windows {
		if l.named(w.Self, w.ID, upperName) {
			l.window(w)
		}
	}
	for _, e := range doc.Bulk.Exempt {
		if l.named(e.Self, e.ID, upperName) {
			l.exempt(e)
		}
	}
	if t := doc.Bulk.Traps; t.Self.Said() {
		l.traps(t)
	}
	if e := doc.Bulk.Earned; e.Self.Said() && l.named(e.Self, e.ID, upperName) {
		l.earned(e)
	}
}

func (l *loading) window(doc windowDoc) {
	switch {
	case !doc.Over.At.Said():
		l.missing(doc.Self, "over")
	case doc.Over.V <= 0 || doc.Over.V > maxWindow:
		l.hintAt(doc.Over.At, codeWindow, "a window is longer than nothing and at most a week", "write a duration like 10m or 1h")
	}
	switch {
	case !doc.Alike.At.Said():
		l.missing(doc.Self, "alike")
	case doc.Alike.V < 1:
		l.errorAt(doc.Alike.At, codeWindow, "alike must be at least 1")
	case doc.Alike.V == 1:
		l.warnAt(doc.Alike.At, codeAlways, "each message is alike itself, so this holds for all", "")
	}
	for _, n := range []said[int]{doc.Networks, doc.Senders, doc.Recipients, doc.Traps} {
		if n.V < 0 {
			l.errorAt(n.At, codeWindow, "a number cannot be below 0")
		}
	}
	l.per(doc)
	if doc.Grow.At.Said() && doc.Grow.V != "tanh" {
		l.hintAt(doc.Grow.At, codeWindow, "points grow by tanh or not at all", "write grow: tanh")
	}
	l.against(doc.Mode, "a window of alike messages")
	l.scored(doc.Self, doc.Score, doc.Mode.V)
	s := Symbol{
		Name: doc.ID.V, About: doc.About.V, Points: doc.Score.V, Mode: doc.Mode.V, Family: bulkFamily,
		Public: l.publicText(doc.Public, ""),
	}
	if doc.Grow.V == "tanh" {
		s.Grow = doc.Alike.V
	}
	if s.About == "" {
		s.About = fmt.Sprintf("At least %d alike messages", doc.Alike.V)
		if doc.Over.At.Said() {
			s.About += " within " + doc.Over.At.Raw()
		}
		if doc.Networks.V > 0 {
			s.About += fmt.Sprintf(" from at least %d networks", doc.Networks.V)
		}
		if doc.Traps.V > 0 {
			s.About += fmt.Sprintf(", at least %d to a trap", doc.Traps.V)
		}
		if doc.Per.V == perUser {
			s.About += " by one user"
		}
	}
	if l.define(doc.ID.At, s) {
		l.set.Bulk.Windows = append(l.set.Bulk.Windows, Window{
			Symbol: s.Name, Over: doc.Over.V, Alike: doc.Alike.V,
			Networks: doc.Networks.V, Senders: doc.Senders.V, Recipients: doc.Recipients.V, Traps: doc.Traps.V,
			PerUser: doc.Per.V == perUser,
		})
	}
}

// perUser in a window asks its numbers of each authenticated user.
const perUser = "user"

// per reports what a window of each user cannot ask.
func (l *loading) per(doc windowDoc) {
	if !doc.Per.At.Said() {
		return
	}
	if doc.Per.V != perUser {
		l.hintAt(doc.Per.At, codeWindow, "alike messages are counted of all senders, or of each user", "write per: user")
		return
	}
	for _, n := range []said[int]{doc.Networks, doc.Senders, doc.Traps} {
		if n.V > 0 {
			l.hintAt(n.At, codeWindow, "this is not counted for each user", "say alike: and recipients: with per: user")
		}
	}
	if doc.Grow.At.Said() {
		l.hintAt(doc.Grow.At, codeWindow, "points grow with what all have sent, not with what one user has", "leave grow: out")
	}
}

// traps reads which addresses are traps, and what a message to one is worth.
func (l *loading) traps(doc trapsDoc) {
	t := Traps{}
	if !doc.List.At.Said() {
		l.missing(doc.Self, "list")
	} else if list, ok := l.listNamed(doc.List, Addresses, Domains); ok {
		t.List = list
	}
	if l.set.Bulk.Traps != nil {
		l.errorAt(doc.Self, codeDefined, "traps are said already")
		return
	}
	l.set.Bulk.Traps = &t
	if doc.ID.At.Said() {
		if !l.checkName(doc.ID, upperName) {
			return
		}
		l.against(doc.Mode, "a message to a trap")
		l.scored(doc.Self, doc.Score, doc.Mode.V)
		s := Symbol{Name: doc.ID.V, About: doc.About.V, Points: doc.Score.V, Mode: doc.Mode.V, Public: l.publicText(doc.Public, "")}
		if s.About == "" {
			s.About = "A recipient is on " + doc.List.V + ", which nobody writes to with leave"
		}
		if l.define(doc.ID.At, s) {
			t.Symbol = s.Name
		}
		return
	}
	for name, at := range map[string]strict.Value{"about": doc.About.At, "score": doc.Score.At, "mode": doc.Mode.At, "public": doc.Public.At} {
		if at.Said() {
			l.hintAt(at, codeWindow, name+": is of a symbol, which has no name here", "say id: as well")
		}
	}
}

// For is s as it weighs for a message with features f. The points of a window with `grow: tanh` begin at not quite
// half when its count is reached, are three quarters at twice as many alike messages (by the strict grade, of all that
// is remembered), and all at five times.
func (s *Symbol) For(f *Features) *Symbol {
	if s.Grow == 0 {
		return s
	}
	grown := *s
	grown.Points = Points(math.Round(float64(s.Points) * math.Tanh(float64(f.Bulk.AlikeStrict)/float64(2*s.Grow))))
	return &grown
}

func (l *loading) exempt(doc exemptDoc) {
	var signers *List
	if !doc.Signer.At.Said() {
		l.missing(doc.Self, "signer")
	} else if doc.Signer.V != "" {
		signers, _ = l.listNamed(doc.Signer, Domains)
	}
	switch {
	case !doc.Cap.At.Said():
		l.missing(doc.Self, "cap")
	case doc.Cap.V < 0:
		l.errorAt(doc.Cap.At, strict.CodeValue, "a cap cannot be below 0")
	}
	s := Symbol{Name: doc.ID.V, About: doc.About.V}
	if s.About == "" {
		s.About = "Wanted bulk mail, proven to come from a domain of " + doc.Signer.V
	}
	s.CapAt = &Cap{Family: bulkFamily, Points: doc.Cap.V, Src: doc.Cap.At.Src()}
	if l.define(doc.ID.At, s) {
		l.set.Bulk.Exempt = append(l.set.Bulk.Exempt, Exempt{Symbol: s.Name, Signers: signers})
	}
}

// Bounds of the time after which a sender's bulk mail may be wanted: he is remembered for 90 days.
const (
	minEarning = 24 * time.Hour
	maxEarning = 60 * 24 * time.Hour
)

func (l *loading) earned(doc earnedDoc) {
	switch {
	case !doc.After.At.Said():
		l.missing(doc.Self, "after")
	case doc.After.V < minEarning || doc.After.V > maxEarning:
		l.hintAt(doc.After.At, codeWindow, "a sender is trusted after at least a day and at most 60", "write a duration like 14d")
	}
	switch {
	case !doc.Messages.At.Said():
		l.missing(doc.Self, "messages")
	case doc.Messages.V < 1:
		l.errorAt(doc.Messages.At, codeWindow, "messages must be at least 1")
	}
	switch {
	case !doc.Cap.At.Said():
		l.missing(doc.Self, "cap")
	case doc.Cap.V < 0:
		l.errorAt(doc.Cap.At, strict.CodeValue, "a cap cannot be below 0")
	}
	l.scored(doc.Self, doc.Score, Weighted)
	s := Symbol{Name: doc.ID.V, About: doc.About.V, CapAt: &Cap{Family: bulkFamily, Points: doc.Cap.V, Src: doc.Cap.At.Src()}}
	if s.About == "" {
		s.About = "Bulk mail of a proven sender, as it has come so far"
	}
	if !doc.Broken.At.Said() {
		l.missing(doc.Self, "broken")
	} else if !l.checkName(doc.Broken, upperName) {
		return
	}
	broken := Symbol{Name: doc.Broken.V, About: "Bulk mail in the name of a trusted sender, but not as it has come so far", Points: doc.Score.V}
	if doc.Broken.At.Said() && l.define(doc.ID.At, s) && l.define(doc.Broken.At, broken) {
		l.set.Bulk.Earned = &Earned{Symbol: s.Name, Broken: broken.Name, After: doc.After.V, Messages: doc.Messages.V}
	}
}
