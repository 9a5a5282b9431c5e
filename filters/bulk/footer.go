package bulk

import (
	"slices"
	"strings"

	"weir/filters"
)

// The most lines of a footer.
const footerLines = 8

// headLines are the first lines, where programs say how else a message can be looked at.
const headLines = 4

// longestLine is the bytes of a line that may be one of a footer.
const longestLine = 800

// cutter tells what the author of a text wrote from what others did, and programs. Any number of goroutines may use it.
type cutter struct {
	leaving     *phrases // how to leave a list
	ofPrograms  *phrases // what programs put above or below all that they send
	disclaiming *phrases // pieces of the first stems of disclaimers
}

func newCutter() *cutter {
	return &cutter{
		leaving: newPhrases(
			"unsubscri", "opt out", "opt-out", "opted in", "stop receiving", "you are receiving this", "you received this", "how you receive", "our mailing address", "all rights reserved",
			"update your preferences", "manage your preferences", "email preferences", "no longer wish to receive", "be removed from", "mailing list",
			"отписат", "отказаться от рассылки", "получать рассылк", "получать письма",
			"darse de baja", "darte de baja", "no desea recibir", "no deseas recibir", "dejar de recibir",
			"abmelden", "abbestellen", "désabonner", "désinscri", "disiscri", "cancelar a inscrição"),
		ofPrograms: newPhrases(
			"sent from my ", "sent from outlook", "get outlook for", "sent with ", "virus-free", "before printing", "before you print",
			"in your browser", "view online", "im browser", "dans votre navigateur", "en su navegador", "en tu navegador", "no seu navegador", "в браузере",
			"gesendet von", "von meinem iphone", "virenfrei", "envoyé de mon", "envoyé depuis", "enviado desde mi", "enviado do meu",
			"inviato da", "verzonden vanaf", "wysłane z", "отправлено с ", "отправлено из ", "вирусов"),
		disclaiming: newPhrases("fiden", "FIDEN", "ulich", "ULICH", "фиденц", "ФИДЕНЦ", "welijk", "WELIJK", "ufn", "UFN"),
	}
}

// tellsToLeave reports whether line is of the kind that ends most bulk mail, wanted or not, in the same words.
func (c *cutter) tellsToLeave(line string) bool {
	return len(line) <= longestLine && c.leaving.in(strings.ToLower(line))
}

// isOfProgram reports whether line is what programs put above or below all that they send.
func (c *cutter) isOfProgram(line string) bool {
	line = strings.ToLower(line)
	return len(line) <= 160 && c.ofPrograms.in(line)
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
func (c *cutter) disclaims(paragraph []string) bool {
	size := len(paragraph) - 1
	for _, line := range paragraph {
		size += len(line)
	}
	if size > 4*longestLine || !slices.ContainsFunc(paragraph, c.mayDisclaim) {
		return false
	}
	text := strings.ToLower(strings.Join(paragraph, " "))
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

// mayDisclaim reports whether text has a piece of the first stem of a disclaimer, in small letters or in capitals. It is
// asked first, of whole texts too, because most have none.
func (c *cutter) mayDisclaim(text string) bool { return c.disclaiming.in(text) }

// absences are the stems of which people's notes are made that they are away, a language a line.
var absences = [...][]string{
	{"out of the office", "out of office", "on vacation", "on holiday", "on leave", "annual leave", "maternity leave", "away from", "limited access", "no access", "return", "will be back", "be back", "urgent", "in my absence", "automatic reply", "as soon as", "contact", "reply"},
	{"abwesen", "nicht im büro", "nicht im hause", "außer haus", "im urlaub", "wieder erreichbar", "wieder da", "ab dem", "dringend", "nicht weitergeleitet", "nicht gelesen", "wenden sie sich", "vertret", "rückkehr", "automatische antwort", "bis zum", "bis einschlie"},
	{"отпуск", "отсутств", "вне офиса", "командировк", "на больничном", "вернусь", "возвращени", "срочн", "обращайтесь", "свяжитесь", "ограничен", "автоматическ", "отвечу", "доступ"},
	{"fuera de la oficina", "ausente", "ausencia", "de vacaciones", "de permiso", "acceso limitado", "regreso", "vuelta", "volveré", "urgente", "póngase en contacto", "contacte", "contactar", "respuesta automática", "mi regreso"},
	{"absent", "absence", "en congé", "en vacances", "hors du bureau", "de retour", "mon retour", "urgen", "veuillez contacter", "vous pouvez contacter", "accès limité", "réponse automatique"},
	{"ausente", "ausência", "de férias", "fora do escritório", "acesso limitado", "retorno", "regresso", "voltarei", "urgen", "contactar", "contatar", "resposta automática"},
	{"fuori ufficio", "assente", "assenza", "in ferie", "rientro", "rientrerò", "ritorno", "urgen", "contattare", "accesso limitato", "risposta automatica"},
	{"afwezig", "niet op kantoor", "met vakantie", "op vakantie", "met verlof", "terug", "dringend", "spoed", "contact opnemen", "beperkte toegang", "automatisch antwoord"},
	{"nieobecn", "poza biurem", "na urlopie", "urlop", "wracam", "wrócę", "powro", "pilny", "kontakt", "ograniczony dostęp", "automatyczna odpowiedź"},
}

// An absence is told in so many different stems and not more words.
const (
	absenceStems = 3
	absenceText  = 1 << 10 // bytes
)

// isAbsence reports whether m, of which own are its author's words, is an answer of a program that he is away: people
// say that in the same words everywhere. Whoever wants more than to be understood has an address in it.
func isAbsence(m filters.Mail, own string) bool {
	if len(own) > absenceText || !isAutomatic(m) || len(m.Message.URLs()) > 0 {
		return false
	}
	own = strings.ToLower(own)
	for _, stems := range absences {
		n := 0
		for _, stem := range stems {
			if strings.Contains(own, stem) {
				n++
			}
		}
		if n >= absenceStems {
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
