// Package scoring turns what filters saw into a verdict, by the rules.
//
// Judge is a pure function: no clock, no network, no state. The same facts under the same rules always give the
// same verdict, so a recorded one can be explained as a sum and judged again under other rules.
package scoring

import (
	"weir/filters"
	"weir/rules"
)

// By says what decided a verdict.
type By string

// The deciders.
const (
	ByScore   By = "score"   // the sum reached a threshold, or none
	ByHard    By = "hard"    // a hard symbol refused alone
	ByAllow   By = "allow"   // a symbol let the message pass, whatever else holds
	ByBackend By = "backend" // the server behind refused
)

// Line is one addend of a verdict. Caps and forced actions are lines of their own, so that lines always sum. The last
// three fields say how symbols bear on each other, so that a sum can be made again without some of them.
type Line struct {
	Rule   string       `json:"rule"`
	Points rules.Points `json:"score"`
	Detail string       `json:"detail,omitempty"`
	Src    string       `json:"src,omitempty"`
	Family string       `json:"family,omitempty"` // the family whose cap it counts under
	OneOf  string       `json:"one_of,omitempty"` // the group of which only the heaviest counts
	Caps   string       `json:"caps,omitempty"`   // the family that its presence caps
}

// Verdict is the outcome for one policy.
type Verdict struct {
	Action     rules.Action
	Points     rules.Points // the sum of Why
	Why        []Line       // heaviest first, then by name; corrections (caps) after what they correct
	Shadow     []Line       // what would have counted, were it not on trial
	Thresholds rules.Thresholds
	Policy     string
	By         By
	Reasons    []string          // public texts of the heaviest symbols, at most three, for the reply
	Problems   []filters.Problem // expressions that could not be evaluated; they count as false
	Early      *Early            // nil if every answer was waited for
}

// Facts are all that a verdict depends on besides the rules.
type Facts struct {
	Hits     []filters.Hit
	Features rules.Features
	Failed   []string // the ids of the lists of which not all is known
}

// FactsOf collects the facts of a mail from the results of its checks.
func FactsOf(m filters.Mail, results []filters.Result) Facts {
	var f Facts
	for _, r := range results {
		f.Hits = append(f.Hits, r.Hits...)
		f.Failed = append(f.Failed, failed(r.Problems)...)
	}
	f.Features = features(m, filters.Gather(results))
	return f
}

// failed are the rules of problems, among them the lists that gave no answer.
func failed(problems []filters.Problem) []string {
	var ids []string
	for _, p := range problems {
		if p.Rule != "" {
			ids = append(ids, p.Rule)
		}
	}
	return ids
}

func senderFeatures(a *filters.Auth) rules.SenderFeatures {
	f := rules.SenderFeatures{SPF: a.SPF.Result, DMARC: a.DMARC.Result, Auth: rules.AuthFeatures{
		Aligned: len(a.Domains) > 0, DKIM: a.BestSignature(), ARC: a.ARC.Result, Policy: a.DMARC.Policy,
	}}
	if len(a.ARC.Sealed) > 0 {
		f.Auth.Sealer = a.ARC.Sealed[0].Domain
	}
	return f
}

func contentFeatures(msg *filters.Message) rules.ContentFeatures {
	c := msg.Counts()
	f := rules.ContentFeatures{HTML: rules.HTMLFeatures{
		Hidden: msg.HiddenText(), Share: msg.HiddenShare(), Tiny: c.Tiny, Links: c.Links, Images: c.Images, Forms: c.Forms, Scripts: c.Scripts,
	}}
	for _, p := range msg.Files() {
		f.Attachments++
		c := p.Content()
		if c.IsProgram() {
			f.Files.Programs++
		}
		if len(c.Members) > 0 {
			f.Files.Archives++
		}
		if c.Encrypted {
			f.Files.Encrypted++
		}
		if c.Macros {
			f.Files.Macros++
		}
	}
	return f
}

func features(m filters.Mail, facts filters.Facts) rules.Features {
	var f rules.Features
	if s := m.Session; s != nil {
		f.User, f.Helo, f.RDNS, f.TLS, f.Listener = s.User, s.Hello, s.ReverseName, s.TLS != "", s.Listener
	}
	if r := facts.Reverse; r != nil {
		f.RDNS = r.Name
	}
	if e := m.Envelope; e != nil {
		f.From, f.Recipients = e.From, len(e.To)
	}
	if msg := m.Message; msg != nil {
		f.Size, f.Parts, f.URLs = msg.Size(), len(msg.Parts()), len(msg.URLs())
		f.Hops, f.ContentFeatures = len(msg.Header("Received")), contentFeatures(msg)
		f.FromDomain = msg.FromDomain()
	}
	if a := m.Auth; a != nil {
		f.SenderFeatures = senderFeatures(a)
	}
	if b := facts.Bulk; b != nil {
		f.Bulk = rules.BulkFeatures{
			Alike: b.Alike, AlikeStrict: b.AlikeStrict,
			Networks: b.Networks, Senders: b.Senders, Recipients: b.Recipients, BulkMoreFeatures: rules.BulkMoreFeatures(b.BulkMore),
		}
	}
	return f
}
