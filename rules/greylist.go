package rules

import (
	"time"

	"weir/rules/strict"
)

// GreylistNew is the symbol of a message whose sender greylisting does not know yet.
const GreylistNew = "GREYLIST_NEW"

// Greylist is the deferring of messages from strangers whose points lie in a band: from From on, below Below. A worse one
// does not escape its threshold by waiting.
type Greylist struct {
	From, Below Points
	Wait        time.Duration // how long a stranger must wait before he comes again
	Expire      time.Duration // how long he is known then
	Src         strict.Src
}

type greylistDoc struct {
	Self   strict.Value        `yaml:",self"`
	From   said[Points]        `yaml:"from"`
	Below  said[Points]        `yaml:"below"`
	Wait   said[time.Duration] `yaml:"wait"`
	Expire said[time.Duration] `yaml:"expire"`
}

// What holds unless said.
const (
	greylistWait   = 5 * time.Minute
	greylistExpire = 36 * 24 * time.Hour
	longestWait    = 4 * time.Hour // servers try again for a day or more, but not often
)

// greylist reads how strangers are deferred. The word of the last file that has one holds.
func (l *loading) greylist() {
	var doc greylistDoc
	for _, file := range l.files {
		if file.Greylist.Self.Said() {
			doc = file.Greylist
		}
	}
	if !doc.Self.Said() {
		return
	}
	if !doc.From.At.Said() {
		l.missing(doc.Self, "from")
	}
	if !doc.Below.At.Said() {
		l.missing(doc.Self, "below")
	}
	g := &Greylist{From: doc.From.V, Below: doc.Below.V, Wait: greylistWait, Expire: greylistExpire, Src: doc.Self.Src()}
	if doc.Wait.At.Said() {
		g.Wait = doc.Wait.V
	}
	if doc.Expire.At.Said() {
		g.Expire = doc.Expire.V
	}
	switch {
	case doc.From.At.Said() && doc.Below.At.Said() && g.From >= g.Below:
		l.errorAt(doc.Below.At, codeGreylist, "the band is empty: it begins at %s and ends below %s", g.From, g.Below)
	case doc.From.At.Said() && g.From <= 0:
		l.hintAt(doc.From.At, codeGreylist, "the band begins at or below 0", "ordinary mail has no points and must not wait")
	case doc.Wait.At.Said() && (g.Wait <= 0 || g.Wait > longestWait):
		l.errorAt(doc.Wait.At, codeGreylist, "a stranger can be made to wait for up to four hours")
	case g.Expire <= g.Wait:
		l.errorAt(doc.Expire.At, codeGreylist, "a stranger is forgotten before he may come again")
	}
	s := Symbol{Name: GreylistNew, About: "Greylisting does not know this sender yet"}
	if l.define(doc.Self, s) {
		l.set.Greylist = g
	}
}
