package bulk

import "strings"

// ownWords returns what the author of s wrote himself: without quoted lines, the forwarded or answered message below,
// the signature and the footer of a mailing list. s is the visible text, a line or paragraph a line.
func ownWords(s string) string {
	s = strings.TrimRight(s, "\n")
	lines := strings.Split(s, "\n")
	kept := lines[:0] // what is read of lines lies ahead
	leaving := false  // in a paragraph on how to leave the list
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if endsOwn(trimmed, lines[i+1:]) {
			break
		}
		leaving = trimmed != "" && (leaving || len(lines)-i <= footerLines && tellsToLeave(trimmed))
		if leaving || isQuoted(trimmed) || introducesQuote(trimmed, lines[i+1:]) {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) == len(lines) {
		return s
	}
	return strings.Join(kept, "\n")
}

func isQuoted(line string) bool {
	return strings.HasPrefix(line, ">") || strings.HasPrefix(line, "|")
}

// introducesQuote reports whether line is like "On Monday Ann wrote:", with a quoted line after it.
func introducesQuote(line string, rest []string) bool {
	if !strings.HasSuffix(line, ":") {
		return false
	}
	for _, next := range rest {
		if next = strings.TrimSpace(next); next != "" {
			return isQuoted(next)
		}
	}
	return false
}

// The most lines of a footer.
const footerLines = 8

// longestLine is the bytes of a line that may be one of a footer.
const longestLine = 800

// tellsToLeave reports whether line is of the kind that ends most bulk mail, wanted or not, in the same words.
func tellsToLeave(line string) bool {
	if len(line) > longestLine {
		return false
	}
	line = strings.ToLower(line)
	for _, words := range []string{
		"unsubscri", "opt out", "opt-out", "stop receiving", "no longer wish to receive", "be removed from", "mailing list",
		"отписат", "отказаться от рассылки", "получать рассылк", "получать письма",
		"darse de baja", "darte de baja", "no desea recibir", "no deseas recibir", "dejar de recibir",
		"abmelden", "abbestellen", "désabonner", "désinscri", "disiscri", "cancelar a inscrição",
	} {
		if strings.Contains(line, words) {
			return true
		}
	}
	return false
}

// endsOwn reports whether nothing of the author's follows: line begins a signature (RFC 3676 section 4.3), a message
// that is answered or forwarded, or the footer of a mailing list, which is short and the last.
func endsOwn(line string, rest []string) bool {
	if line == "--" {
		return true
	}
	if rule := strings.Trim(line, "_-= "); len(line)-len(rule) >= 10 {
		if isRule := rule == ""; isRule {
			return len(rest) <= footerLines || startsHeader(rest)
		}
		return isBanner(rule)
	}
	return false
}

// isBanner reports whether s is what mail programs write between dashes above a message they include.
func isBanner(s string) bool {
	switch strings.ToLower(s) {
	case "original message", "forwarded message", "исходное сообщение", "пересылаемое сообщение", "mensaje original", "mensaje reenviado":
		return true
	}
	return false
}

// startsHeader reports whether the first line that is not empty looks like a header line of an included message.
func startsHeader(lines []string) bool {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			name, _, found := strings.Cut(line, ":")
			switch strings.ToLower(name) {
			case "from", "от", "de":
				return found
			}
			return false
		}
	}
	return false
}
