package structure

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/filters"
)

const (
	maxAhead  = 24 * time.Hour      // a Date that far after the arrival is wrong: no zone and no clock excuses it
	maxBehind = 30 * 24 * time.Hour // mail waits some days in queues, not a month
	timeForm  = "2006-01-02 15:04 MST"
)

// singular are the fields of which a message has at most one (RFC 5322 section 3.6).
var singular = []string{"date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"}

// dates holds the Date field against the time of arrival.
func dates(m filters.Mail) []filters.Hit {
	values := m.Message.Header("Date")
	if len(values) == 0 {
		return nil
	}
	date, ok := m.Message.Date()
	if !ok {
		return one(dateInvalid, shorten(values[0]))
	}
	if m.At.IsZero() {
		return nil
	}
	detail := fmt.Sprintf("%s, arrived %s", date.UTC().Format(timeForm), m.At.UTC().Format(timeForm))
	switch {
	case date.Sub(m.At) > maxAhead:
		return one(dateFuture, detail)
	case m.At.Sub(date) > maxBehind:
		return one(datePast, detail)
	}
	return nil
}

// usualHops is how many servers may have passed a message on before it is odd; real mail needs fewer than ten.
const usualHops = 25

// hops counts the servers that passed the message on.
func hops(m filters.Mail) []filters.Hit {
	if n := len(m.Message.Header("Received")); n > usualHops {
		return one(manyHops, fmt.Sprintf("%d Received fields", n))
	}
	return nil
}

func repeatedFields(m filters.Mail) []filters.Hit {
	count := map[string]int{}
	var repeated []string
	for _, f := range m.Message.Fields() {
		name := strings.ToLower(f.Name)
		count[name]++
		if count[name] == 2 && slices.Contains(singular, name) {
			repeated = append(repeated, f.Name)
		}
	}
	if repeated == nil {
		return nil
	}
	return one(headerRepeated, strings.Join(repeated, ", "))
}

// messageIDs finds a Message-ID that is not <left@right> (RFC 5322 section 3.6.4).
func messageIDs(m filters.Mail) []filters.Hit {
	for _, id := range m.Message.Header("Message-ID") {
		inner, opened := strings.CutPrefix(strings.TrimSpace(id), "<")
		inner, closed := strings.CutSuffix(inner, ">")
		left, right, halved := strings.Cut(inner, "@")
		if !opened || !closed || !halved || left == "" || right == "" || strings.ContainsAny(inner, " \t<>") {
			return one(messageIDInvalid, shorten(id))
		}
	}
	return nil
}

// addressees finds a message that does not say for whom it is.
func addressees(m filters.Mail) []filters.Hit {
	for _, name := range []string{"To", "Cc", "Bcc"} {
		if len(m.Message.Header(name)) > 0 {
			return nil
		}
	}
	return one(noRecipients, "")
}

// shorten makes outside text fit for evidence: one line of printable characters, not long.
func shorten(text string) string {
	const room = 80
	shown := []rune(strings.Join(strings.Fields(text), " "))
	for i, r := range shown {
		if !unicode.IsPrint(r) {
			shown[i] = utf8.RuneError
		}
	}
	if len(shown) > room {
		return string(shown[:room-1]) + "…"
	}
	return string(shown)
}
