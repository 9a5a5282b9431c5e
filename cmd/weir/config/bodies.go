package config

import (
	"hash/fnv"
	"slices"
	"time"

	"weir/rules"
	"weir/rules/strict"
	"weir/scoring/verdictlog"
)

// Bodies says which messages are kept beside the verdict log.
type Bodies struct {
	Of    string        `yaml:"of"`
	Keep  time.Duration `yaml:"keep"`
	Max   strict.Size   `yaml:"max"`
	OneIn int           `yaml:"one_in"` // with sample
}

// Whose messages are kept.
const (
	bodiesOfNone    = "none"
	bodiesOfAll     = "all"
	bodiesOfRefused = "refused" // or deferred, whoever did, also where it was only decided
	bodiesOfSample  = "sample"
)

func defaultBodies() Bodies {
	return Bodies{Of: bodiesOfNone, Keep: 7 * 24 * time.Hour, Max: 2 << 30, OneIn: 10}
}

// smallestBodies is the least that kept messages may take: less holds nothing worth the name.
const smallestBodies = 1 << 20

func (c Config) findInBodies(f *finder) {
	b := c.Verdicts.Bodies
	f.want(slices.Contains([]string{bodiesOfNone, bodiesOfAll, bodiesOfRefused, bodiesOfSample}, b.Of), "verdicts.bodies.of", "want none, all, refused or sample")
	f.want(b.Keep > 0, "verdicts.bodies.keep", "must be more than nothing")
	f.want(b.Max >= smallestBodies, "verdicts.bodies.max", "must be 1MiB or more")
	f.want(b.OneIn > 0, "verdicts.bodies.one_in", "must be more than 0")
	keeps := b.Of != bodiesOfNone
	_, said := f.doc.At("verdicts.bodies")
	f.want(!said || f.says("verdicts.bodies.of"), "verdicts.bodies", "keeps nothing: say of: all, refused or sample")
	f.want(b.Of == bodiesOfSample || !f.says("verdicts.bodies.one_in"), "verdicts.bodies.one_in", "is for of: sample")
	f.want(!keeps || c.Verdicts.Dir != "", "verdicts.bodies", "are kept beside the verdict log: verdicts: { dir: FOLDER }")
	open := string(verdictlog.Keep)
	f.want(!keeps || c.Privacy.LocalPart == open && c.Privacy.Subject == open, "verdicts.bodies",
		"keeps whole messages, with the addresses and subjects that privacy says to hash or drop: have one or the other")
}

// Keeps reports whether any message is to be kept.
func (b Bodies) Keeps() bool { return b.Of != bodiesOfNone }

// Wants reports whether the message of r is to be kept. Which are in the sample follows from their ids.
func (b Bodies) Wants(r verdictlog.Record) bool {
	switch b.Of {
	case bodiesOfAll:
		return true
	case bodiesOfRefused:
		return r.Verdict.Action >= rules.Defer
	case bodiesOfSample:
		hash := fnv.New32a()
		hash.Write([]byte(r.ID))
		return hash.Sum32()%uint32(b.OneIn) == 0
	}
	return false
}
