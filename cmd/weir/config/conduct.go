package config

import (
	"fmt"
	"slices"
	"time"

	"weir/proxy"
)

// Conduct is the keys of weir.yaml that say how clients are spoken with where there is a choice.
type Conduct struct {
	Relay    []string      `yaml:"relay_domains"`    // whose mail is taken; none: what the backend takes
	LineEnds string        `yaml:"line_ends"`        // bare CR and LF in messages: reject or normalize
	Pause    time.Duration `yaml:"greet_pause"`      // how long strangers wait for the greeting
	FinalDot time.Duration `yaml:"final_dot_memory"` // how long a 250 that was not heard is remembered; 0s: not at all
}

// The roles of listeners: for mail from everywhere, and for users, who may send to everywhere.
const (
	RoleInbound  = "inbound"
	RoleOutbound = "outbound"
)

const (
	lineEndsReject    = "reject"
	lineEndsNormalize = "normalize"
)

// longestMemory bounds what is remembered of final dots: after that clients have given up.
const longestMemory = 24 * time.Hour

// longestPause is what mail servers will wait for a greeting without taking it for a fault (RFC 5321 4.5.3.2.1 says more).
const longestPause = time.Minute

// findings says what makes no sense.
func (c Conduct) findings(f *finder) {
	for i, domain := range c.Relay {
		f.want(IsHostname(domain), fmt.Sprintf("relay_domains[%d]", i), "%q is not a domain", domain)
	}
	f.want(slices.Contains([]string{lineEndsReject, lineEndsNormalize}, c.LineEnds), "line_ends", "want reject or normalize")
	f.want(c.FinalDot >= 0 && c.FinalDot <= longestMemory, "final_dot_memory", "want 0s to %s", DurationText(longestMemory))
	f.want(c.Pause >= 0 && c.Pause <= longestPause, "greet_pause", "want 0s to %s: clients give up after five minutes, some much sooner", DurationText(longestPause))
}

// Dialogue is the same, as the proxy takes it.
func (c Conduct) Dialogue() proxy.Dialogue {
	return proxy.Dialogue{Mend: c.LineEnds == lineEndsNormalize, GreetPause: c.Pause, FinalDot: c.FinalDot}
}

// findings says what makes no sense, besides what must be more than 0.
func (l Limits) findings(f *finder) {
	f.want(l.Connections >= 0, "limits.connections_per_minute", "must not be less than 0")
	f.want(l.Messages >= 0, "limits.messages_per_minute", "must not be less than 0")
	f.want(l.SessionsPerIP <= l.Sessions, "limits.sessions_per_ip", "is never reached: limits.sessions is %d", l.Sessions)
}

func defaultLimits() Limits {
	return Limits{
		MessageSize: 25 << 20, Recipients: 100, Sessions: 1000, SessionsPerIP: 20, SessionsPerNet: 100,
		MinRate: 500, ScanMemory: 256 << 20, CommandTimeout: 5 * time.Minute,
	}
}
