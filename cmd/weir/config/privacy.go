package config

import (
	"slices"

	"weir/scoring/verdictlog"
)

// Privacy says what is kept of people in verdicts, wherever they are written or shown.
type Privacy struct {
	LocalPart string `yaml:"local_part"` // of addresses
	Subject   string `yaml:"subject"`
}

func defaultPrivacy() Privacy {
	return Privacy{LocalPart: string(verdictlog.Keep), Subject: string(verdictlog.Keep)}
}

func (p Privacy) findings(f *finder) {
	known := []string{string(verdictlog.Keep), string(verdictlog.Hash), string(verdictlog.Drop)}
	f.want(slices.Contains(known, p.LocalPart), "privacy.local_part", "want keep, hash or drop")
	f.want(slices.Contains(known, p.Subject), "privacy.subject", "want keep, hash or drop")
}

// Redactor makes records so before they are written to the log in dir, or to none.
func (p Privacy) Redactor(dir string) (*verdictlog.Redactor, error) {
	return verdictlog.Privacy{LocalPart: verdictlog.Kept(p.LocalPart), Subject: verdictlog.Kept(p.Subject)}.Redactor(dir)
}
