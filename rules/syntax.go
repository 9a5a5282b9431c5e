package rules

import (
	"net/netip"
	"time"

	"weir/rules/strict"
)

// The types of this file are rules.yaml as it is written. Load makes a Set of them.

// said is a value and where it stands. At is the zero Value if the file does not say it.
type said[T any] struct {
	V  T
	At strict.Value
}

func (s *said[T]) DecodeYAML(v strict.Value) error {
	s.At = v
	v.Decode(&s.V)
	return nil
}

// oneOrMany is a list that may be written without brackets if it has one item.
type oneOrMany[T any] []said[T]

func (l *oneOrMany[T]) DecodeYAML(v strict.Value) error {
	if v.IsList() {
		v.Decode((*[]said[T])(l))
		return nil
	}
	*l = make([]said[T], 1)
	v.Decode(&(*l)[0])
	return nil
}

// entries is a group of keys that the operator names, in their order.
type entries[T any] []entry[T]

type entry[T any] struct {
	Key string
	At  strict.Value
	V   T
}

func (all *entries[T]) DecodeYAML(v strict.Value) error {
	v.EachKey(func(key, value strict.Value, name string) {
		e := entry[T]{Key: name, At: key}
		value.Decode(&e.V)
		*all = append(*all, e)
	})
	return nil
}

type fileDoc struct {
	Self       strict.Value   `yaml:",self"`
	Version    said[int]      `yaml:"version"`
	Include    []said[string] `yaml:"include"`
	Defaults   said[string]   `yaml:"defaults"`
	Thresholds thresholdsDoc  `yaml:"thresholds"`
	Reject     replyDoc       `yaml:"reject"`
	Defer      replyDoc       `yaml:"defer"`
	Subject    replyDoc       `yaml:"subject"`
	checksDoc  `yaml:",inline"`
	Lists      entries[*listDoc] `yaml:"lists"`
	Caps       entries[Points]   `yaml:"caps"`
	Rules      []ruleDoc         `yaml:"rules"`
	Override   []overrideDoc     `yaml:"override"`
	Policies   []policyDoc       `yaml:"policies"`
	Tests      []testDoc         `yaml:"tests"`
}

// checksDoc are the sections of single checks.
type checksDoc struct {
	Greylist greylistDoc `yaml:"greylist"`
	Outgoing outgoingDoc `yaml:"outgoing"`
	Zones    []zoneDoc   `yaml:"zones"`
	Bulk     bulkDoc     `yaml:"bulk"`
	Auth     authDoc     `yaml:"auth"`
}

type thresholdsDoc struct {
	Tag     said[Threshold] `yaml:"tag"`
	Subject said[Threshold] `yaml:"subject"`
	Defer   said[Threshold] `yaml:"defer"`
	Reject  said[Threshold] `yaml:"reject"`
}

type replyDoc struct {
	Text said[string] `yaml:"text"`
}

type zoneDoc struct {
	Self    strict.Value            `yaml:",self"`
	Use     said[string]            `yaml:"use"`
	Key     said[strict.SecretText] `yaml:"key"`
	ID      said[string]            `yaml:"id"`
	Zone    said[strict.SecretText] `yaml:"zone"`
	Ask     oneOrMany[string]       `yaml:"ask"`
	How     askDoc                  `yaml:",inline"`
	Mode    said[Mode]              `yaml:"mode"`
	Public  said[string]            `yaml:"public"`
	Combine said[string]            `yaml:"combine"`
	Answers []answerDoc             `yaml:"answers"`
	Errors  []answerErrorDoc        `yaml:"errors"`
}

// askDoc is how a zone is asked.
type askDoc struct {
	Host          said[string]      `yaml:"host"`
	Hash          said[string]      `yaml:"hash"`
	Literals      said[bool]        `yaml:"literals"`
	AllowLoopback said[bool]        `yaml:"allow_loopback"`
	For           oneOrMany[string] `yaml:"for"`
	V6Bits        said[int]         `yaml:"v6_bits"`
	Test          testPointsDoc     `yaml:"test"`
}

type testPointsDoc struct {
	Listed   oneOrMany[string] `yaml:"listed"`
	Unlisted oneOrMany[string] `yaml:"unlisted"`
}

// matchDoc is which addresses of a zone are meant.
type matchDoc struct {
	Is     oneOrMany[string] `yaml:"is"`
	Bits   said[int]         `yaml:"bits"`
	Octet1 said[int]         `yaml:"octet1"`
	Octet2 said[int]         `yaml:"octet2"`
	Octet3 said[int]         `yaml:"octet3"`
	Octet4 said[int]         `yaml:"octet4"`
}

type answerDoc struct {
	Self   strict.Value      `yaml:",self"`
	Match  matchDoc          `yaml:",inline"`
	ID     said[string]      `yaml:"id"`
	About  said[string]      `yaml:"about"`
	Ask    oneOrMany[string] `yaml:"ask"`
	Score  said[Points]      `yaml:"score"`
	Mode   said[Mode]        `yaml:"mode"`
	Public said[string]      `yaml:"public"`
}

type answerErrorDoc struct {
	Self  strict.Value `yaml:",self"`
	Match matchDoc     `yaml:",inline"`
	Means said[string] `yaml:"means"`
}

type bulkDoc struct {
	Windows []windowDoc `yaml:"windows"`
	Exempt  []exemptDoc `yaml:"exempt"`
	Earned  earnedDoc   `yaml:"earned"`
	Traps   trapsDoc    `yaml:"traps"`
}

// trapsDoc is the name of a list, or what a message to an address on it is worth besides.
type trapsDoc struct{ trapsKeys }

// DecodeYAML reads the keys, or list.NAME.
func (t *trapsDoc) DecodeYAML(v strict.Value) error {
	if text, err := v.Text(); err == nil {
		t.trapsKeys = trapsKeys{Self: v, List: said[string]{text, v}}
		return nil
	}
	v.Decode(&t.trapsKeys)
	return nil
}

type trapsKeys struct {
	Self   strict.Value `yaml:",self"`
	List   said[string] `yaml:"list"`
	ID     said[string] `yaml:"id"`
	About  said[string] `yaml:"about"`
	Score  said[Points] `yaml:"score"`
	Mode   said[Mode]   `yaml:"mode"`
	Public said[string] `yaml:"public"`
}

type windowDoc struct {
	Self       strict.Value        `yaml:",self"`
	ID         said[string]        `yaml:"id"`
	About      said[string]        `yaml:"about"`
	Over       said[time.Duration] `yaml:"over"`
	Alike      said[int]           `yaml:"alike"`
	Networks   said[int]           `yaml:"networks"`
	Senders    said[int]           `yaml:"senders"`
	Recipients said[int]           `yaml:"recipients"`
	Traps      said[int]           `yaml:"traps"`
	Per        said[string]        `yaml:"per"`
	Score      said[Points]        `yaml:"score"`
	Grow       said[string]        `yaml:"grow"`
	Mode       said[Mode]          `yaml:"mode"`
	Public     said[string]        `yaml:"public"`
}

type exemptDoc struct {
	Self   strict.Value `yaml:",self"`
	ID     said[string] `yaml:"id"`
	About  said[string] `yaml:"about"`
	Signer said[string] `yaml:"signer"`
	Cap    said[Points] `yaml:"cap"`
}

type earnedDoc struct {
	Self     strict.Value        `yaml:",self"`
	ID       said[string]        `yaml:"id"`
	About    said[string]        `yaml:"about"`
	After    said[time.Duration] `yaml:"after"`
	Messages said[int]           `yaml:"messages"`
	Cap      said[Points]        `yaml:"cap"`
	Broken   said[string]        `yaml:"broken"`
	Score    said[Points]        `yaml:"score"`
}

type listDoc struct {
	Self   strict.Value   `yaml:",self"`
	Type   said[string]   `yaml:"type"`
	Inline []said[string] `yaml:"inline"`
	File   said[string]   `yaml:"file"`
}

type ruleDoc struct {
	Self       strict.Value `yaml:",self"`
	ID         said[string] `yaml:"id"`
	About      said[string] `yaml:"about"`
	matcherDoc `yaml:",inline"`
	Score      said[Points]    `yaml:"score"`
	Public     said[string]    `yaml:"public"`
	Family     said[string]    `yaml:"family"`
	Mode       said[Mode]      `yaml:"mode"`
	Until      said[time.Time] `yaml:"until"`
	Tests      []proofDoc      `yaml:"tests"`
}

// expressionsDoc is one expression, or several of which some must match.
type expressionsDoc struct {
	Regex   said[string] `yaml:"regex"`
	Any     anyDoc       `yaml:"any"`
	AtLeast said[int]    `yaml:"at_least"`
}

// anyDoc is several expressions, or the list that holds them.
type anyDoc struct {
	At    strict.Value
	List  said[string]
	Items []said[string]
}

func (a *anyDoc) DecodeYAML(v strict.Value) error {
	a.At = v
	if v.IsList() {
		v.Decode(&a.Items)
	} else {
		v.Decode(&a.List)
	}
	return nil
}

type headerDoc struct {
	Self        strict.Value   `yaml:",self"`
	Name        said[string]   `yaml:"name"`
	Expressions expressionsDoc `yaml:",inline"`
	Missing     said[bool]     `yaml:"missing"`
}

type bodyDoc struct {
	Self        strict.Value   `yaml:",self"`
	Expressions expressionsDoc `yaml:",inline"`
}

type urlDoc struct {
	Self        strict.Value   `yaml:",self"`
	Host        said[string]   `yaml:"host"`
	Expressions expressionsDoc `yaml:",inline"`
}

type proofDoc struct {
	Self strict.Value      `yaml:",self"`
	Hit  oneOrMany[string] `yaml:"hit"`
	Miss oneOrMany[string] `yaml:"miss"`
}

type overrideDoc struct {
	Self  strict.Value    `yaml:",self"`
	ID    said[string]    `yaml:"id"`
	Score said[Points]    `yaml:"score"`
	Why   said[string]    `yaml:"why"`
	Until said[time.Time] `yaml:"until"`
}

type policyDoc struct {
	Self       strict.Value    `yaml:",self"`
	ID         said[string]    `yaml:"id"`
	Whose      audienceDoc     `yaml:",inline"`
	Thresholds thresholdsDoc   `yaml:"thresholds"`
	Subject    replyDoc        `yaml:"subject"`
	Scores     entries[Points] `yaml:"scores"`
	Greylist   said[string]    `yaml:"greylist"`
	Zones      modeDoc         `yaml:"zones"`
	Bulk       modeDoc         `yaml:"bulk"`
}

type modeDoc struct {
	Mode said[Mode] `yaml:"mode"`
}

// audienceDoc is whom messages are from and for.
type audienceDoc struct {
	Rcpt     oneOrMany[string] `yaml:"rcpt"`
	Sender   oneOrMany[string] `yaml:"sender"`
	User     oneOrMany[string] `yaml:"user"`
	Listener oneOrMany[string] `yaml:"listener"`
	Net      oneOrMany[string] `yaml:"net"`
}

type whoDoc struct {
	Self   strict.Value      `yaml:",self"`
	Whose  audienceDoc       `yaml:",inline"`
	Proven oneOrMany[string] `yaml:"proven"`
}

type testDoc struct {
	Self    strict.Value               `yaml:",self"`
	Name    said[string]               `yaml:"name"`
	Session sessionDoc                 `yaml:"session"`
	Message said[string]               `yaml:"message"`
	DNS     entries[oneOrMany[string]] `yaml:"dns"`
	Auth    oneOrMany[string]          `yaml:"auth"`
	At      said[time.Time]            `yaml:"at"`
	Want    wantDoc                    `yaml:"want"`
}

type sessionDoc struct {
	IP       said[netip.Addr]  `yaml:"ip"`
	Helo     said[string]      `yaml:"helo"`
	RDNS     said[string]      `yaml:"rdns"`
	User     said[string]      `yaml:"user"`
	From     said[string]      `yaml:"from"`
	To       oneOrMany[string] `yaml:"to"`
	Listener said[string]      `yaml:"listener"`
}

type wantDoc struct {
	Self   strict.Value      `yaml:",self"`
	Action said[Action]      `yaml:"action"`
	At     said[string]      `yaml:"at"`
	Code   said[int]         `yaml:"code"`
	Reply  said[string]      `yaml:"reply"`
	Score  said[Points]      `yaml:"score"`
	Hits   oneOrMany[string] `yaml:"hits"`
	Misses oneOrMany[string] `yaml:"misses"`
	Errors oneOrMany[string] `yaml:"errors"`
	Policy said[string]      `yaml:"policy"`
}
