package rules

import (
	"fmt"
	"time"

	"weir/rules/strict"
)

// UserStopped is the symbol of mail from a user whose account is stopped.
const UserStopped = "USER_STOPPED"

// Outgoing is the counting of what authenticated users send.
type Outgoing struct {
	Windows []UserWindow
	Stop    *Stop // nil: no account is ever stopped
}

// UserWindow is one symbol of a user's mail: it holds when at least the given numbers were reached within Over, the
// message at hand included. 0 is no condition; at least one number is set.
type UserWindow struct {
	Symbol     string
	Over       time.Duration
	Messages   int
	Recipients int // recipients of all messages
	Refused    int // recipients that the server behind refused
	Networks   int // distinct client networks (/24, /64)
}

// Stop is when an account is stopped: when After of its messages were refused or deferred by the rules within Within.
// Then all its mail has the symbol UserStopped for For.
type Stop struct {
	After       int
	Within, For time.Duration
}

type outgoingDoc struct {
	Windows []userWindowDoc `yaml:"windows"`
	Stop    stopDoc         `yaml:"stop"`
}

type userWindowDoc struct {
	Self       strict.Value        `yaml:",self"`
	ID         said[string]        `yaml:"id"`
	About      said[string]        `yaml:"about"`
	Over       said[time.Duration] `yaml:"over"`
	Messages   said[int]           `yaml:"messages"`
	Recipients said[int]           `yaml:"recipients"`
	Refused    said[int]           `yaml:"refused"`
	Networks   said[int]           `yaml:"networks"`
	Score      said[Points]        `yaml:"score"`
	Mode       said[Mode]          `yaml:"mode"`
	Public     said[string]        `yaml:"public"`
}

// stopDoc is `off`, or when an account is stopped.
type stopDoc struct {
	Off bool
	stopKeys
}

// DecodeYAML reads the keys, or "off".
func (s *stopDoc) DecodeYAML(v strict.Value) error {
	if text, err := v.Text(); err == nil && text == "off" {
		*s = stopDoc{Off: true, stopKeys: stopKeys{Self: v}}
		return nil
	}
	v.Decode(&s.stopKeys)
	return nil
}

type stopKeys struct {
	Self   strict.Value        `yaml:",self"`
	After  said[int]           `yaml:"after"`
	Within said[time.Duration] `yaml:"within"`
	For    said[time.Duration] `yaml:"for"`
	Mode   said[Mode]          `yaml:"mode"`
	Public said[string]        `yaml:"public"`
}

// outgoing adds what a file says of users' windows.
func (l *loading) outgoing(doc *fileDoc) {
	for _, w := range doc.Outgoing.Windows {
		if l.named(w.Self, w.ID, upperName) {
			l.userWindow(w)
		}
	}
}

func (l *loading) userWindow(doc userWindowDoc) {
	l.span(doc.Self, doc.Over, "over")
	w := UserWindow{Symbol: doc.ID.V, Over: doc.Over.V, Messages: doc.Messages.V, Recipients: doc.Recipients.V, Refused: doc.Refused.V, Networks: doc.Networks.V}
	for _, n := range []said[int]{doc.Messages, doc.Recipients, doc.Refused, doc.Networks} {
		if n.At.Said() && n.V < 1 {
			l.errorAt(n.At, codeWindow, "a number is at least 1")
		}
	}
	if w.Messages+w.Recipients+w.Refused+w.Networks == 0 && !doc.Self.Meant("messages", "recipients", "refused", "networks") {
		l.hintAt(doc.ID.At, codeWindow, fmt.Sprintf("%s counts nothing", doc.ID.V), "say messages:, recipients:, refused: or networks:")
	}
	l.against(doc.Mode, "a window of what a user sends")
	l.scored(doc.Self, doc.Score, doc.Mode.V)
	s := Symbol{Name: doc.ID.V, About: doc.About.V, Points: doc.Score.V, Mode: doc.Mode.V, Family: "outgoing", Public: l.publicText(doc.Public, "")}
	if s.About == "" && doc.Over.At.Said() {
		s.About = "The user has sent much within " + doc.Over.At.Raw()
	}
	if l.define(doc.ID.At, s) {
		l.set.Outgoing.Windows = append(l.set.Outgoing.Windows, w)
	}
}

// span reports a duration that is missing, or longer than counters are kept.
func (l *loading) span(self strict.Value, d said[time.Duration], key string) {
	switch {
	case !d.At.Said():
		l.missing(self, key)
	case d.V <= 0 || d.V > maxWindow:
		l.hintAt(d.At, codeWindow, "a window is longer than nothing and at most a week", "write a duration like 10m or 1h")
	}
}

// stop reads when accounts are stopped. The word of the last file that has one holds.
func (l *loading) stop() {
	var doc stopDoc
	for _, file := range l.files {
		if file.Outgoing.Stop.Self.Said() {
			doc = file.Outgoing.Stop
		}
	}
	if !doc.Self.Said() || doc.Off {
		return
	}
	if !doc.After.At.Said() {
		l.missing(doc.Self, "after")
	} else if doc.After.V < 1 {
		l.errorAt(doc.After.At, codeWindow, "an account is stopped after at least 1 message")
	}
	l.span(doc.Self, doc.Within, "within")
	l.span(doc.Self, doc.For, "for")
	s := Symbol{Name: UserStopped, About: "The user's account is stopped: too many of its messages were refused", Mode: Hard, Public: l.publicText(doc.Public, "")}
	l.against(doc.Mode, "a stopped account")
	if doc.Mode.At.Said() {
		s.Mode = doc.Mode.V
	}
	if l.define(doc.Self, s) {
		l.set.Outgoing.Stop = &Stop{After: doc.After.V, Within: doc.Within.V, For: doc.For.V}
	}
}
