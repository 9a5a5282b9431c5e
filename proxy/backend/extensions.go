package backend

import (
	"slices"
	"strconv"
	"strings"
)

// Extensions are the keywords of an EHLO reply, in capitals, with their parameters.
type Extensions map[string]string

func extensions(lines []string) Extensions {
	e := Extensions{}
	for _, line := range lines {
		keyword, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		e[strings.ToUpper(keyword)] = strings.TrimSpace(params)
	}
	return e
}

// Has reports whether the keyword was offered.
func (e Extensions) Has(keyword string) bool {
	_, ok := e[keyword]
	return ok
}

// withholdSecrets takes out the mechanisms of AUTH by which what a user is known by is said as it is (RFC 4954 4).
func (e Extensions) withholdSecrets() {
	rest := slices.DeleteFunc(strings.Fields(strings.ToUpper(e["AUTH"])), func(m string) bool {
		return m == "PLAIN" || m == "LOGIN" || m == "XOAUTH2" || m == "OAUTHBEARER"
	})
	if e.Has("AUTH") {
		e["AUTH"] = strings.Join(rest, " ")
	}
}

// MaxSize is the largest message taken (RFC 1870), 0 if no limit was named.
func (e Extensions) MaxSize() int64 {
	n, err := strconv.ParseInt(e["SIZE"], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// MaxRecipients is how many recipients one message may have (RFC 9422), 0 if no limit was named.
func (e Extensions) MaxRecipients() int {
	for _, word := range strings.Fields(strings.ToUpper(e["LIMITS"])) {
		if value, ok := strings.CutPrefix(word, "RCPTMAX="); ok {
			n, err := strconv.Atoi(value)
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// Common returns what every one of the offers holds, each limit being the smallest; nil of none. A message that keeps to it
// can go to any of the servers.
func Common(offers ...Extensions) Extensions {
	if len(offers) == 0 {
		return nil
	}
	common := Extensions{}
	for keyword, params := range offers[0] {
		words := strings.Fields(params)
		everywhere := true
		for _, other := range offers[1:] {
			everywhere = everywhere && other.Has(keyword)
			theirs := strings.Fields(other[keyword])
			words = slices.DeleteFunc(words, func(w string) bool { return !slices.Contains(theirs, w) })
		}
		if everywhere {
			common[keyword] = strings.Join(words, " ")
		}
	}
	size, recipients := int64(0), 0
	for _, e := range offers {
		size = least(size, e.MaxSize())
		recipients = least(recipients, e.MaxRecipients())
	}
	if common.Has("SIZE") || size > 0 {
		common["SIZE"] = strconv.FormatInt(size, 10)
	}
	delete(common, "LIMITS")
	if recipients > 0 {
		common["LIMITS"] = "RCPTMAX=" + strconv.Itoa(recipients)
	}
	return common
}

// least is the smaller of two limits, of which 0 is none.
func least[N int | int64](a, b N) N {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
