package bulk

// grade is how sure it is that a message belongs to a campaign.
type grade uint8

const (
	unlike grade = iota
	loose        // may add points
	strict       // may refuse
)

// candidate is a campaign that a message may belong to, what is known of it, and the evidence.
type candidate struct {
	id      id
	members float64 // messages so far
	core    float64 // word pairs that its messages have in common, estimated

	exact   bool    // the whole text is equal
	payload float64 // addresses in common, by weight
	alone   bool    // one of them is of no other campaign
	papers  float64 // files in common, by weight
	pairs   float64 // word pairs in common
	once    float64 // word pairs in common with any of its messages, however few
	votes   float64 // the same by weight
	spread  float64 // the same and words, each run of neighbours counting as its root: what is scattered over a text is no quotation
	around  float64 // spread, of what any of its messages has, however few
	kin     []id    // the campaigns whose family it is
	picture int     // distance to its most alike picture
	bonesShared
}

// weights of a feature in common, by the number of campaigns that have it: what many say is evidence of none.
var weights = [...]float64{0, 1, 0.5, 0.3, 0.2}

// Distances of pictures, of 255 signs: half is chance.
const (
	samePicture = 60
	farPicture  = 80
)

// leastPaper is the weight of files in common that says something: two campaigns may have one.
const leastPaper = .5

// learned reports whether so many messages are there that the campaign's core stands out.
func (b *candidate) learned() bool { return b.members >= 3 }

// splits reports whether p is so much closer to one message of the campaign than to the campaign that the two are
// another one: a family of campaigns that share a subject must not hide one of them.
func (b *candidate) splits(p *print) bool {
	return b.learned() && b.members <= 12 && b.once >= .75*float64(len(p.pairs)) && b.pairs <= .6*b.once
}

// grade judges the evidence for p.
func (b *candidate) grade(p *print) grade {
	switch {
	case b.members == 0: // its counters are forgotten
		return unlike
	case b.exact, b.picture <= samePicture:
		return strict
	case b.picture <= farPicture:
		return loose
	case len(p.pairs) == 0:
		if b.papers >= leastPaper {
			return strict
		}
		return unlike
	}
	ofMessage, ofCampaign := b.shares(p)
	both, one := min(ofMessage, ofCampaign), max(ofMessage, ofCampaign)
	switch {
	case both >= .55 && b.votes >= 9,
		both >= .70 && b.pairs >= 12, // whoever else says it
		both >= .38 && b.votes >= 18,
		b.learned() && one >= .70 && both >= .20 && b.votes >= 16, // cut, or pasted into other text; less is a footer
		b.payload > 0 && both >= .25 && b.votes >= 10,
		b.papers >= leastPaper && both >= .10:
		return strict
	case b.splits(p):
		return unlike
	case b.reworded(p),
		both >= .50 && b.pairs >= 10,
		both >= .22 && one <= 2*both && b.votes >= 14,                              // as much pasted into this one as into others
		b.learned() && ofCampaign >= .50 && both >= .20 && b.votes >= 10,           // more pasted into this one
		b.learned() && ofMessage >= .70 && both >= .10 && b.votes >= 8,             // a piece of it
		!b.learned() && one >= .80 && both >= .20 && b.pairs >= 12 && b.votes >= 6, // the one is in the other
		b.payload > 0 && both >= .15 && b.votes >= 7,
		b.alone && ofMessage >= .08 && b.spread >= 6,
		b.alone && b.once >= 2 && b.around >= 4,
		b.papers >= leastPaper,
		b.framed(p):
		return loose
	}
	return unlike
}

// shares are the parts of the message and of the campaign that both have in common.
func (b *candidate) shares(p *print) (ofMessage, ofCampaign float64) {
	return b.pairs / float64(len(p.pairs)), min(1, b.pairs/max(1, b.core*p.share))
}

// reworded reports whether what is in common is little but scattered over the text, as it is when words were replaced.
// What a campaign of one or two messages shares in one piece may be a quotation or footer.
func (b *candidate) reworded(p *print) bool {
	ofMessage, ofCampaign := b.shares(p)
	return ofMessage >= .10 && ofCampaign >= min(.28, .05*(b.members+1)) && b.spread >= 8.5 &&
		(b.learned() || b.spread >= .9*b.votes)
}

// doubtful reports whether what p, alike by the loose grade, shares with the first one or two messages of b may be a
// passage that one of them took from another: then p does not join them, it founds a new campaign with them.
func (b *candidate) doubtful(p *print) bool {
	return !b.learned() && len(p.pairs) > 0 && !b.reworded(p)
}
