package main

import (
	"fmt"
	"slices"

	"weir/proxy"
)

// conduct is the keys of weir.yaml that say how clients are spoken with where there is a choice.
type conduct struct {
	Relay    []string `yaml:"relay_domains"` // whose mail is taken; none: what the backend takes
	LineEnds string   `yaml:"line_ends"`     // bare CR and LF in messages: reject or normalize
}

const (
	lineEndsReject    = "reject"
	lineEndsNormalize = "normalize"
)

// findings says what makes no sense.
func (c conduct) findings(f *finder) {
	for i, domain := range c.Relay {
		f.want(isHostname(domain), fmt.Sprintf("relay_domains[%d]", i), "%q is not a domain", domain)
	}
	f.want(slices.Contains([]string{lineEndsReject, lineEndsNormalize}, c.LineEnds), "line_ends", "want reject or normalize")
}

func (c conduct) dialogue() proxy.Dialogue {
	return proxy.Dialogue{Mend: c.LineEnds == lineEndsNormalize}
}
