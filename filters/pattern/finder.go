package pattern

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/wasilibs/go-re2"
	"github.com/wasilibs/go-re2/experimental"
)

const (
	// setMemory bounds each set: its program and the states it keeps, in bytes.
	setMemory = 32 << 20

	// maxSet bounds the expressions of one set, since a pass cannot be broken off: texts made to need ever new states
	// take time for each expression.
	maxSet = 512

	// searchBudget is how many bytes are read for the evidence of one find. Beyond it, the word of the set stands
	// without evidence.
	searchBudget = 4 << 20

	// slowBudget is likewise how many are read for the evidence in a text that is too slow for the sets, where an expression
	// of which no place is shown is not found.
	slowBudget = 1 << 20
)

// exactEnds finds expressions whose anchors (?m) does not reach.
var exactEnds = regexp.MustCompile(`\\[Az]|\(\?[a-zA-Z]*-[a-zA-Z]*m`)

// finder finds which of its expressions match in texts. It is immutable and safe for many goroutines.
type finder struct {
	expressions []*regexp.Regexp
	quick       []func() searcher // the same in RE2, compiled when one has first matched: it shows the place many times faster
	alone       []int             // those in no set: too large for one, or with anchors that (?m) does not reach
	sets        []set
	single      bool // find is given one text; the sets are then exact
	memory      int  // of each set, in bytes
}

// searcher is an expression of either library.
type searcher interface{ FindStringIndex(text string) []int }

// set is some of the expressions, searched for in one pass.
type set struct {
	members  []int
	compiled *experimental.Set
	effort   time.Duration // of CPU, for a text by pieces
	read     atomic.Int64  // bytes, of all texts
}

// match is one expression that matches in at least one text.
type match struct {
	expression int
	excerpt    string // of the first place it matches; "" if that was not looked for
}

// newFinder compiles expressions. single says that find will be given one text at a time.
func newFinder(expressions []string, single bool) (*finder, error) {
	return newFinderWithin(setMemory, expressions, single)
}

// newFinderWithin is newFinder with so many bytes for each set.
func newFinderWithin(memory int, expressions []string, single bool) (*finder, error) {
	f := &finder{single: single, memory: memory}
	var all []int
	for i, expression := range expressions {
		re, err := regexp.Compile(expression)
		if err != nil {
			return nil, err
		}
		f.expressions = append(f.expressions, re)
		f.quick = append(f.quick, sync.OnceValue(func() searcher { return quicker(re) }))
		if !single && exactEnds.MatchString(expression) {
			f.alone = append(f.alone, i)
		} else {
			all = append(all, i)
		}
	}
	for members := range slices.Chunk(all, maxSet) {
		f.gather(members)
	}
	return f, nil
}

// quicker is re in RE2, or re itself if that is too large there.
func quicker(re *regexp.Regexp) searcher {
	if quick, err := re2.Compile(re.String()); err == nil {
		return quick
	}
	return re
}

// gather makes sets of the members, halving them as long as RE2 finds them too large together. RE2 and package regexp
// read the same language; they may differ in letters that the latest Unicode has added.
func (f *finder) gather(members []int) {
	expressions := make([]string, len(members))
	for i, member := range members {
		expressions[i] = f.expressions[member].String()
		if !f.single {
			// Texts are joined by line ends, so what holds at the ends of one holds at the ends of a line. That
			// may find too much, and never too little.
			expressions[i] = "(?m)" + expressions[i]
		}
	}
	compiled, err := experimental.CompileSetWithOptions(expressions, experimental.CompileOptions{MaxMem: f.memory})
	if err == nil {
		_, err = compiled.FindAllStringWithError("", -1) // a set without room for its states says so only now
	}
	if err == nil {
		f.sets = append(f.sets, set{members: members, compiled: compiled, effort: effort})
		return
	}
	if len(members) == 1 {
		f.alone = append(f.alone, members[0])
		return
	}
	half := len(members) / 2
	f.gather(members[:half])
	f.gather(members[half:])
}

// candidate is an expression that may match; sure if a set says exactly that it does.
type candidate struct {
	expression int
	sure       bool
}

// find returns the expressions that match in any of the texts, in order. An error is that of ctx, or a *tooSlow; then some
// matches may be missing.
func (f *finder) find(ctx context.Context, texts []string) ([]match, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	clean := make([]string, len(texts)) // invalid bytes are where the two libraries differ
	for i, text := range texts {
		if clean[i] = text; !utf8.ValidString(text) {
			clean[i] = strings.ToValidUTF8(text, "\uFFFD")
		}
	}
	all, slow, err := f.candidates(ctx, clean)
	var matches []match
	budget := searchBudget
	if slow != nil {
		budget = slowBudget
	}
	for _, c := range all {
		switch {
		case c.sure && (budget <= 0 || ctx.Err() != nil):
			matches = append(matches, match{expression: c.expression})
		case ctx.Err() != nil:
			err = ctx.Err()
		case c.sure:
			excerpt, _ := locate(f.quick[c.expression](), clean, &budget)
			matches = append(matches, match{c.expression, excerpt})
		case slow != nil && budget <= 0:
		case slow != nil:
			if excerpt, ok := locate(f.quick[c.expression](), clean, &budget); ok {
				matches = append(matches, match{c.expression, excerpt})
			}
		default:
			if excerpt, ok := locate(f.expressions[c.expression], clean, &budget); ok {
				matches = append(matches, match{c.expression, excerpt})
			}
		}
	}
	if err == nil && slow != nil {
		err = slow
	}
	return matches, err
}

// candidates returns the expressions worth trying on texts, in order. If the texts are too slow to read, or with an error,
// which is that of ctx, some may be missing.
func (f *finder) candidates(ctx context.Context, texts []string) (all []candidate, slow *tooSlow, err error) {
	for _, expression := range f.alone {
		all = append(all, candidate{expression: expression})
	}
	joined := ""
	if len(f.sets) > 0 {
		joined = strings.Join(texts, "\n")
	}
	for i := range f.sets {
		s := &f.sets[i]
		if err = ctx.Err(); err != nil {
			break
		}
		found, read, failed := s.readBy(ctx, joined)
		if whole := len(joined); failed == nil && read < whole && (slow == nil || read < slow.read) {
			slow = &tooSlow{read, whole}
		}
		if failed != nil { // it ran out of memory: nothing is known of its members
			for _, expression := range s.members {
				all = append(all, candidate{expression: expression})
			}
		}
		for _, n := range found {
			all = append(all, candidate{s.members[n], f.single && read == len(joined)})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return a.expression - b.expression })
	return all, slow, err
}

// locate looks for re in the texts and returns an excerpt of the first place it matches. It takes what it reads from
// budget.
func locate(re searcher, texts []string, budget *int) (excerpt string, ok bool) {
	for _, text := range texts {
		place := re.FindStringIndex(text)
		if place != nil {
			*budget -= place[1]
			return excerptOf(text, place[0], place[1]), true
		}
		*budget -= len(text)
	}
	return "", false
}
