package bulk

import "strings"

// ownWords returns what the author of s wrote himself: without quoted lines, the forwarded or answered message below,
// the signature, the footer of a mailing list and what companies and mail programs put below each message. s is the
// visible text, a line or paragraph a line.
func (c *cutter) ownWords(s string) string {
	s = unsigned(strings.TrimRight(s, "\n"))
	may := c.mayDisclaim(s)
	lines := strings.Split(s, "\n")
	kept := lines[:0] // what is read of lines lies ahead
	leaving := false  // in a paragraph on how to leave the list
	next, own := 0, 0 // the paragraph after this one, and the first line after the last disclaimer
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if c.endsOwn(trimmed, lines[i+1:]) {
			break
		}
		if may && i == next {
			next += paragraph(lines[i:])
			if c.disclaims(lines[i:next]) {
				own = next
			}
		}
		last := len(lines)-i <= footerLines
		leaving = trimmed != "" && (leaving || last && c.tellsToLeave(trimmed))
		if i < own || leaving || (last || i < headLines) && c.isOfProgram(trimmed) || isQuoted(trimmed) || introducesQuote(trimmed, lines[i+1:]) {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) == len(lines) {
		return s
	}
	return strings.Join(kept, "\n")
}

// unsigned returns s without the armour of OpenPGP (RFC 4880 section 7) around a signed text and without the blocks of
// letters that signatures and keys are.
func unsigned(s string) string {
	const mark = "-----BEGIN PGP "
	if !strings.Contains(s, mark) {
		return s
	}
	lines := strings.Split(s, "\n")
	kept := lines[:0]
	inside, head := false, false // of a block of letters, of the header of a signed text
	for _, line := range lines {
		trimmed := strings.TrimRight(line, " \r")
		switch {
		case trimmed == mark+"SIGNED MESSAGE-----":
			head = true
		case strings.HasPrefix(trimmed, mark):
			inside = true
		case inside && strings.HasPrefix(trimmed, "-----END PGP "):
			inside = false
		case head:
			head = trimmed != ""
		case inside && (!strings.Contains(trimmed, " ") || strings.Contains(trimmed, ": ")):
		default:
			inside = false
			kept = append(kept, strings.TrimPrefix(line, "- ")) // dash-escaped
		}
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

// endsOwn reports whether nothing of the author's follows: line begins a signature (RFC 3676 section 4.3), a message
// that is answered or forwarded, or the footer of a mailing list, which is short and the last.
func (c *cutter) endsOwn(line string, rest []string) bool {
	return line == "--" && c.isSignature(rest) || endsOwnHere(line, rest)
}

// endsOwnHere is endsOwn without signatures.
func endsOwnHere(line string, rest []string) bool {
	if rule := strings.TrimFunc(line, isOfRule); len(line)-len(rule) >= 10 {
		if isRule := rule == ""; isRule {
			return len(rest) <= footerLines || startsHeader(rest)
		}
		return isBanner(rule)
	}
	return isField(line, authorFields) && len(rest) > 1 && isField(rest[0], otherFields) && isField(rest[1], otherFields)
}

func isOfRule(r rune) bool { return r == '_' || r == '-' || r == '=' || r == ' ' }

// The most that a signature has, without the message that is answered below it.
const (
	signatureLines = 12
	signatureBytes = 800
)

// isSignature reports whether lines, up to what is quoted, are short enough for a signature. With more, they are a text
// that somebody wants to have overlooked. Disclaimers below it do not count.
func (c *cutter) isSignature(lines []string) bool {
	count, size := 0, 0
	for i := 0; i < len(lines); {
		line := strings.TrimSpace(lines[i])
		if isQuoted(line) || endsOwnHere(line, lines[i+1:]) {
			break
		}
		n := paragraph(lines[i:])
		if c.disclaims(lines[i : i+n]) {
			i += n
			continue
		}
		if line != "" {
			count++
			size += len(line)
		}
		i++
	}
	return count <= signatureLines && size <= signatureBytes
}

// isBanner reports whether s is what mail programs write between dashes above a message they include.
func isBanner(s string) bool {
	switch strings.ToLower(s) {
	case "original message", "forwarded message", "исходное сообщение", "пересылаемое сообщение", "mensaje original", "mensaje reenviado",
		"ursprüngliche nachricht", "weitergeleitete nachricht", "message d'origine", "message d’origine", "message transféré",
		"messaggio originale", "messaggio inoltrato", "mensagem original", "mensagem encaminhada", "oorspronkelijk bericht",
		"doorgestuurd bericht", "wiadomość oryginalna", "wiadomość przekazana", "özgün ileti", "переслане повідомлення",
		"原始邮件", "原始郵件", "转发邮件", "轉寄郵件", "回复的原邮件", "转发的邮件", "元のメッセージ", "転送メッセージ", "원본 메시지", "원본 메일", "전달된 메시지":
		return true
	}
	return false
}

// The names that mail programs give to the fields of a message they include, in the languages of isBanner.
const (
	authorFields = " from von de da van od kimden от від 发件人 寄件者 差出人 من מאת "
	otherFields  = " sent date to cc subject gesendet datum an betreff envoyé à objet enviado el para asunto inviato data a oggetto " +
		"enviada em assunto verzonden aan onderwerp wysłano wysłane do temat gönderilen tarih kime konu дата отправлено кому тема копия надіслано " +
		"发送时间 收件人 抄送 主题 日期 收件者 主旨 送信日時 日時 宛先 件名 تاريخ تم_الإرسال تاريخ_الإرسال إلى الموضوع נשלח תאריך אל נושא "
)

// longestName is the bytes of a name of a field, with what may stand around it.
const longestName = 40

// isField reports whether line is a header field whose name is one of names.
func isField(line, names string) bool {
	name, _, found := strings.Cut(strings.Replace(line, "：", ":", 1), ":")
	if !found || len(name) > longestName {
		return false
	}
	name = strings.ToLower(strings.TrimSpace(strings.ReplaceAll(name, "*", "")))
	name = strings.ReplaceAll(name, " ", "_")
	return name != "" && strings.Contains(names, " "+name+" ")
}

// startsHeader reports whether the first line that is not empty looks like one of an included message.
func startsHeader(lines []string) bool {
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			return isField(line, authorFields)
		}
	}
	return false
}
