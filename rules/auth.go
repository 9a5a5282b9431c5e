package rules

// authDoc is who is believed about what he has passed on.
type authDoc struct {
	Sealers said[string] `yaml:"arc_sealers"`
}

// auth adds what a file says of sender authentication. The word of the last file that has one holds.
func (l *loading) auth(doc *fileDoc) {
	if sealers := doc.Auth.Sealers; sealers.V != "" {
		if list, ok := l.listNamed(sealers, Domains); ok {
			l.set.Sealers = list
		}
	}
}
