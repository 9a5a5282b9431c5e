package bulk

import "strings"

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
	return containsAny(line,
		"unsubscri", "opt out", "opt-out", "stop receiving", "no longer wish to receive", "be removed from", "mailing list",
		"отписат", "отказаться от рассылки", "получать рассылк", "получать письма",
		"darse de baja", "darte de baja", "no desea recibir", "no deseas recibir", "dejar de recibir",
		"abmelden", "abbestellen", "désabonner", "désinscri", "disiscri", "cancelar a inscrição")
}

// isOfProgram reports whether line is what programs put below all that they send.
func isOfProgram(line string) bool {
	line = strings.ToLower(line)
	return len(line) <= 160 && containsAny(line,
		"sent from my ", "sent from outlook", "get outlook for", "sent with ", "virus-free", "before printing", "before you print",
		"gesendet von", "von meinem iphone", "virenfrei", "envoyé de mon", "envoyé depuis", "enviado desde mi", "enviado do meu",
		"inviato da", "verzonden vanaf", "wysłane z", "отправлено с ", "отправлено из ", "вирусов")
}

// disclaimers are the stems of which the disclaimers of companies are made, a language a line. The first is in each.
var disclaimers = [...][]string{
	{"confiden", "privileged", "intended", "addressee", "recipient", "in error", "by mistake", "the sender", "delete", "destroy", "unauthori", "disclos", "distribut", "liab", "virus"},
	{"vertraulich", "geschützt", "adressat", "empfänger", "irrtümlich", "absender", "vernichte", "lösche", "unbefugt", "unerlaubt", "weitergabe", "haftung", "viren"},
	{"конфиденциальн", "адресат", "получател", "по ошибке", "ошибочно", "отправител", "удалите", "уничтож", "копирован", "раскрыти", "распространени", "запрещ"},
	{"confiden", "destinataire", "par erreur", "expéditeur", "détruire", "supprimer", "non autorisée", "divulg", "diffusion", "interdit", "responsab"},
	{"confiden", "destinatari", "destinatári", "por error", "por erro", "por engano", "remitente", "remetente", "elimin", "apag", "destru", "prohibid", "proibid", "divulga"},
	{"confiden", "riservat", "destinatari", "per errore", "mittente", "distrug", "cancell", "vietat", "proibit", "divulga"},
	{"vertrouwelijk", "geadresseerde", "bestemd", "vergissing", "ten onrechte", "afzender", "verwijder", "vernietig", "openbaarmaking", "aansprakelijk"},
	{"poufn", "adresat", "odbiorc", "omyłk", "pomyłk", "nadawc", "usuni", "zniszcz", "zabronion", "rozpowszechni"},
}

// disclaimerStems is how many different stems make a disclaimer.
const disclaimerStems = 4

// disclaims reports whether a paragraph is a company's disclaimer: the same in many words below all that it sends, and
// below what others send, for its words are copied.
func disclaims(paragraph []string) bool {
	text := strings.ToLower(strings.Join(paragraph, " "))
	if len(text) > 4*longestLine {
		return false
	}
	for _, stems := range disclaimers {
		if !strings.Contains(text, stems[0]) {
			continue
		}
		n := 1
		for _, stem := range stems[1:] {
			if strings.Contains(text, stem) {
				n++
			}
		}
		if n >= disclaimerStems {
			return true
		}
	}
	return false
}

// paragraph returns how many of the first lines are one: up to an empty line, or a line that is a whole paragraph.
func paragraph(lines []string) int {
	const whole = 120 // bytes: the text is not broken into lines
	for i, line := range lines {
		switch {
		case i > 0 && len(line) >= whole:
			return i
		case len(line) >= whole, strings.TrimSpace(line) == "":
			return i + 1
		}
	}
	return len(lines)
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
