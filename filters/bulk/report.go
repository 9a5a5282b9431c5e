package bulk

import (
	"strings"

	"weir/filters"
)

// isReport reports whether m tells its recipient what became of a message of his: a delivery report (RFC 3464), a notice
// of reading (RFC 8098), or what programs older than these write. All of them come from the null sender.
func isReport(m filters.Mail) bool {
	if m.Envelope == nil || m.Envelope.From != "" || len(m.Envelope.To) != 1 {
		return false
	}
	if m.Message.ContentType() == "multipart/report" || len(m.Message.Header("X-Failed-Recipients")) > 0 {
		return true
	}
	local, _, _ := strings.Cut(strings.ToLower(m.Message.FromAddress()), "@")
	local = strings.NewReplacer("-", "", "_", "", ".", "").Replace(local)
	return local == "mailerdaemon" || local == "postmaster"
}

// report returns the text that m quotes if it is a report. The words of the report itself are those of its program: they
// are the same to everybody and no evidence of anything. What is sent as the quoted message is read like any other text.
func report(m filters.Mail) (quoted string, is bool) {
	if !isReport(m) {
		return "", false
	}
	if quoted := m.Message.Enclosed(); quoted != "" {
		return quoted, true
	}
	return below(m.Message.Text()), true
}

// below returns what follows the header of a message that stands in s, "" if there is none.
func below(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		if !isHeader(lines[i:]) {
			continue
		}
		for j := i; j < len(lines); j++ {
			if strings.TrimSpace(lines[j]) == "" {
				return strings.Join(lines[j:], "\n")
			}
		}
	}
	return ""
}

// isHeader reports whether three header fields stand at the beginning of lines, two of them of those that each message has.
func isHeader(lines []string) bool {
	fields, usual := 0, 0
	for _, line := range lines[:min(len(lines), 40)] {
		name, _, found := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			if fields == 0 {
				return false
			}
			continue
		case !found || strings.ContainsAny(name, " \t") || name == "":
			return false
		}
		fields++
		switch strings.ToLower(name) {
		case "received", "from", "to", "date", "subject", "message-id", "return-path":
			usual++
		}
		if fields >= 3 && usual >= 2 {
			return true
		}
	}
	return false
}

// isAutomatic reports whether m says of itself that a program answers with it (RFC 3834), or comes from the null sender.
func isAutomatic(m filters.Mail) bool {
	if m.Envelope != nil && m.Envelope.From == "" {
		return true
	}
	for _, value := range m.Message.Header("Auto-Submitted") {
		if !strings.EqualFold(strings.TrimSpace(value), "no") {
			return true
		}
	}
	return len(m.Message.Header("X-Autoreply"))+len(m.Message.Header("X-Auto-Response-Suppress")) > 0
}

// isPersonal reports whether m goes to one recipient and does not say of itself that it goes to many.
func isPersonal(m filters.Mail) bool {
	if m.Envelope == nil || len(m.Envelope.To) != 1 {
		return false
	}
	for _, name := range []string{"List-Id", "List-Post", "List-Unsubscribe"} {
		if len(m.Message.Header(name)) > 0 {
			return false
		}
	}
	for _, value := range m.Message.Header("Precedence") {
		switch strings.ToLower(strings.TrimSpace(value)) {
		case "bulk", "list", "junk":
			return false
		}
	}
	return true
}
