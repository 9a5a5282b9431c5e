package bulk

import (
	"math"
	"math/bits"
)

// A text of which each copy says other parts, in other words or with other slips of the pen, has too little in common with
// any one of its first copies. Each of them founds a campaign, and what they share is that of many campaigns then and counts
// little. So where no campaign is alike, those that have the same in common with the message are taken for one.
const (
	leastVotes  = 3  // with fewer in all there is no family
	kinFeatures = 4  // kin have so many of the message's features in common,
	kinPart     = .3 // and this part of what the lesser of the two has of them
)

// The evidence that a family needs: the roots of the runs in common, of pairs and of grams. What is quoted or pasted is one
// run. One that is learned stands by itself: it needs more, and a part of its core in a part of the message, unless it is
// the letters that are alike.
const (
	scattered      = 7
	scatteredCore  = 8.5
	scatteredTypes = 7 // of letters
	ofMessagePart  = .06
	ofCampaignPart = .25
)

// In a campaign with fewer messages than young a feature of one of them counts for its family, if what several of them had
// is found scattered over the message as well.
const (
	young     = 10
	coreFound = 4
)

// family returns those of best, the candidates for p, that are kin to the one with most in common, as one candidate, and
// whether p belongs to them.
func (c *campaigns) family(p *print, best []candidate) (candidate, bool) {
	if len(best) == 0 || len(p.pairs) == 0 {
		return candidate{}, false
	}
	owned := c.owned(p, best)
	members, most := kin(owned, len(best))
	head := &best[most]
	one := candidate{id: head.id, members: head.members}
	letters := c.together(p, &one, owned, members)
	if head.learned() {
		ofMessage, ofCampaign := head.shares(p)
		isCore := ofMessage >= ofMessagePart && ofCampaign >= min(ofCampaignPart, .05*(head.members+1))
		return one, !head.splits(p) && one.spread >= scatteredCore && (isCore || letters >= scatteredTypes)
	}
	one.kin = append(one.kin, head.id)
	for k := range best {
		if k != most && members&(1<<k) != 0 {
			one.kin = append(one.kin, best[k].id)
		}
	}
	return one, one.spread >= scattered && (one.pairs >= kinFeatures || letters >= scatteredTypes)
}

// together counts for one what p has in common with the members of a family, and returns how much of it is of letters.
func (c *campaigns) together(p *print, one *candidate, owned []uint8, members uint8) (letters float64) {
	lists := c.lists[len(c.lists)-len(owned):]
	var ofPairs, ofGrams run
	for i, who := range owned {
		who &= members
		strangers := lists[i].Len() - bits.OnesCount8(who)
		w := weights[min(1+strangers, len(weights)-1)]
		if i >= len(p.pairs) {
			letters += ofGrams.next(who != 0, w)
			continue
		}
		one.spread += ofPairs.next(who != 0, w)
		if who != 0 {
			one.pairs++
			one.votes += w
		}
	}
	one.spread += ofPairs.next(false, 0)
	letters += ofGrams.next(false, 0)
	if one.pairs >= kinFeatures { // of long texts too few grams are kept to see how common they are: the words say it
		letters *= math.Sqrt(one.votes / one.pairs)
	}
	one.spread += letters
	return letters
}

// owned says of each pair and each gram of p which of best have it, as bits.
func (c *campaigns) owned(p *print, best []candidate) []uint8 {
	lists := c.lists[len(c.lists)-len(p.pairs)-len(p.grams):]
	owned := make([]uint8, len(lists))
	for k := range best {
		b := &best[k]
		need := uint16(1)
		if b.learned() && (b.members >= young || b.spread < coreFound) {
			need = b.need()
		}
		for i := range lists {
			if lists[i].Of(uint32(b.id)).N >= need {
				owned[i] |= 1 << k
			}
		}
	}
	return owned
}

// kin are those of n campaigns that are kin to the one with most features, as bits, and which that is.
func kin(owned []uint8, n int) (all uint8, most int) {
	var both [candidates][candidates]int
	for _, who := range owned {
		for k := range n {
			for j := range n {
				if who&(1<<k) != 0 && who&(1<<j) != 0 {
					both[k][j]++
				}
			}
		}
	}
	for k := range n {
		if both[k][k] > both[most][most] {
			most = k
		}
	}
	for k := range n {
		common, lesser := both[most][k], min(both[k][k], both[most][most])
		if k == most || common >= kinFeatures && float64(common) >= kinPart*float64(lesser) {
			all |= 1 << k
		}
	}
	return all, most
}
