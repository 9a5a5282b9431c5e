package bulk

import (
	"context"
	"fmt"
	"time"

	"weir/filters/store"
)

// How much of a skeleton must be in common to say something. It never says enough alone: newsletters that are made by one
// tool have one skeleton, whoever sends them.
const (
	leastCommon = 6   // rows
	commonPart  = .5  // of the message's rows
	commonAlone = .25 // the same by weight: few others have it
	commonBad   = .15 // or, with a campaign that is known to be bad, whoever else has it

	framedText = 3.  // text scattered over both, beside a skeleton in common
	badText    = 2.  // the same in a campaign that is known to be bad
	badPart    = .10 // of its messages were refused, went to traps or were called spam

	rowVote = .5 // what a row in common weighs where campaigns are nominated, beside a word pair
)

// bonesShared is what a message's skeleton and a campaign's have in common.
type bonesShared struct {
	rows  float64 // rows of the skeleton in common
	frame float64 // the same by weight
}

// less returns the skeleton of which only rows are left, none if that is too little.
func (s skeleton) less(rows []uint64) skeleton {
	if len(rows) < leastCommon {
		rows = nil
	}
	return skeleton{rows, s.lone}
}

// likeFrame counts the rows that the skeletons of the message and of b have in common.
func (b *candidate) likeFrame(lists []store.Postings, need uint16) {
	for i := range lists {
		if lists[i].Of(uint32(b.id)).N >= need {
			b.rows++
			b.frame += weights[lists[i].Len()]
		}
	}
}

// sameFrame reports whether p has the skeleton of b: as many rows, by so large a part of the weight that they could have.
func (b *candidate) sameFrame(p *print, weight float64) bool {
	all := float64(len(p.bones.rows))
	return b.payload == 0 && b.rows >= leastCommon && b.rows >= commonPart*all && b.frame >= weight*all
}

// framed reports whether the skeleton of p, and a little text, is that of b.
func (b *candidate) framed(p *print) bool {
	return b.sameFrame(p, commonAlone) && b.scattered() >= framedText
}

// scattered is what p and b have in common, each run of neighbours counting as its root.
func (b *candidate) scattered() float64 {
	if b.learned() {
		return b.spread
	}
	return b.around
}

// judge is the grade of p in b. Where the text says nothing, the skeleton does if the campaign is known to be bad and
// either there is some text, or nobody stands behind p and it has no address in common with b, as all that one tool
// sends has.
func (c *campaigns) judge(ctx context.Context, at time.Time, p *print, b *candidate) (grade, error) {
	g := b.grade(p)
	if g != unlike || b.members == 0 || !b.sameFrame(p, commonBad) || b.scattered() < badText && !p.bones.lone {
		return g, nil
	}
	k := [...]string{b.id.key(traps), b.id.key(refusals), b.id.key(complaints), b.id.key(withdrawn)}
	all, err := c.memory.Within(ctx, at, 0, k[:]...)
	if err != nil {
		return unlike, fmt.Errorf("reading what became of campaign %s: %w", b.id, err)
	}
	if bad := all[0].N + all[1].N + max(0, all[2].Distinct-all[3].Distinct); bad > 0 && float64(bad) >= badPart*b.members {
		return loose, nil
	}
	return g, nil
}
