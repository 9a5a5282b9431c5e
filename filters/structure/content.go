package structure

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"weir/filters"
	"weir/filters/mime"
)

const (
	// manyMixed is how many mixed words make a body suspicious: one may be a slip of the keyboard.
	manyMixed = 3

	// fewWords is up to how many words a text is no more than a label of its picture.
	fewWords = 40

	// manyBytes of text are enough to count fewWords.
	manyBytes = 4 << 10

	// muchHidden is more bytes of hidden letters and digits than the preview line of a newsletter has.
	muchHidden = 1000

	// manyHosts is to how many hosts of one domain, with digits in their names, the links of a message go when a
	// machine makes up a new one for each.
	manyHosts = 3
)

var (
	// executables are files that Windows runs at a double click, and images and links that bring such.
	executables = []string{"exe", "scr", "com", "pif", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "wsh", "hta", "msi", "cpl", "jar",
		"lnk", "reg", "ps1", "iso", "img", "vhd", "chm", "scf", "xll", "one"}

	// documents are what a name pretends to be.
	documents = []string{"pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "rtf", "jpg", "jpeg", "png", "gif", "mp3", "mp4", "zip",
		"htm", "html"}

	// listTag is what lists put into subjects.
	listTag = regexp.MustCompile(`\[[^\]]*\]`)
)

// commonUsers are local parts that stand in subjects as ordinary words.
var commonUsers = []string{"account", "admin", "billing", "contact", "hello", "invoice", "marketing", "office", "orders", "postmaster",
	"press", "sales", "security", "service", "support", "webmaster"}

// subjects judges the Subject field.
func subjects(m filters.Mail) []filters.Hit {
	subject := m.Message.Subject()
	var found []filters.Hit
	if words := mixedWords(subject, 1); len(words) > 0 {
		found = append(found, filters.Hit{Symbol: subjectScripts, Detail: words[0]})
	}
	lower := strings.ToLower(listTag.ReplaceAllString(subject, ""))
	words := strings.FieldsFunc(lower, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	})
	for _, to := range recipients(m) {
		to = strings.ToLower(to)
		local, _, _ := strings.Cut(to, "@")
		switch {
		case len(to) < len("a@b.c"):
		case strings.Contains(lower, to):
			return append(found, filters.Hit{Symbol: subjectRecipient, Detail: to})
		case len(local) > 4 && !isList(m.Message) && slices.Contains(words, local) && !slices.Contains(commonUsers, local):
			return append(found, filters.Hit{Symbol: subjectUser, Detail: local})
		}
	}
	return found
}

// bodies judges the visible text.
func bodies(m filters.Mail) []filters.Hit {
	var found []filters.Hit
	text := m.Message.Text()
	if words := mixedWords(text, manyMixed); len(words) >= manyMixed {
		found = append(found, filters.Hit{Symbol: bodyScripts, Detail: strings.Join(words, " ")})
	}
	parts := m.Message.Parts()
	html, other := 0, 0
	for _, p := range parts {
		switch {
		case p.ContentType == "text/html" && p.Filename == "":
			html++
		default:
			other++
		}
	}
	switch {
	case strings.TrimSpace(text) == "" && !slices.ContainsFunc(parts, isMedia):
		found = append(found, filters.Hit{Symbol: bodyEmpty})
	case html > 0 && other == 0:
		found = append(found, filters.Hit{Symbol: bodyHTMLOnly})
	}
	if words := strings.Fields(text[:min(len(text), manyBytes)]); len(words) <= fewWords && showsForeignPicture(m.Message) {
		found = append(found, filters.Hit{Symbol: bodyPictureOnly, Detail: fmt.Sprintf("%d words", len(words))})
	}
	if n := m.Message.HiddenText(); n > muchHidden {
		found = append(found, filters.Hit{Symbol: bodyHidden, Detail: fmt.Sprintf("%d letters", n)})
	}
	return found
}

// showsForeignPicture reports whether the message has links and shows a picture that is not in it. A picture that
// comes along is rather the logo of a signature, and in an answer there may be few words.
func showsForeignPicture(m *filters.Message) bool {
	along := slices.ContainsFunc(m.Parts(), func(p *mime.Part) bool { return strings.HasPrefix(p.ContentType, "image/") })
	return !along && len(m.Header("References")) == 0 && len(m.URLs()) > 0 && slices.Contains(m.Skeleton(), "img")
}

// isMedia reports whether a part is content of its own, without text.
func isMedia(p *mime.Part) bool {
	return p.Filename != "" || !strings.HasPrefix(p.ContentType, "text/")
}

// files judges the names of attached files; each kind is reported once.
func files(m filters.Mail) []filters.Hit {
	var found []filters.Hit
	report := func(symbol, name string) {
		if !slices.ContainsFunc(found, func(h filters.Hit) bool { return h.Symbol == symbol }) {
			found = append(found, filters.Hit{Symbol: symbol, Detail: shorten(name)})
		}
	}
	for _, p := range m.Message.Parts() {
		name := strings.ToLower(strings.TrimRight(p.Filename, ". "))
		last := strings.TrimPrefix(path.Ext(name), ".")
		before := strings.TrimPrefix(path.Ext(strings.TrimRight(strings.TrimSuffix(name, "."+last), " ")), ".")
		switch {
		case last == "":
		case slices.Contains(executables, last) && slices.Contains(documents, before), strings.ContainsRune(name, '\u202e'):
			report(fileDisguised, p.Filename)
		case slices.Contains(executables, last):
			report(fileExecutable, p.Filename)
		case slices.Contains([]string{"htm", "html", "shtml", "xhtml", "svg"}, last) && p.Disposition == "attachment":
			report(fileHTML, p.Filename)
		}
	}
	return found
}

// links judges where links go.
func links(m filters.Mail) []filters.Hit {
	var found []filters.Hit
	hosts := map[string][]string{}
	misleads, many := false, false
	for _, u := range m.Message.URLs() {
		if says := filters.Misleads(u.Text, u.Host); !misleads && says != "" {
			misleads = true
			found = append(found, filters.Hit{Symbol: linkMisleads, Detail: fmt.Sprintf("%s goes to %s", shorten(says), u.Host)})
		}
		house := filters.Organisation(u.Host)
		if isNumbered(u.Host, house) && !slices.Contains(hosts[house], u.Host) {
			hosts[house] = append(hosts[house], u.Host)
		}
		if !many && len(hosts[house]) == manyHosts {
			many = true
			found = append(found, filters.Hit{Symbol: linkManyHosts, Detail: strings.Join(hosts[house], " ")})
		}
	}
	return found
}

// isNumbered reports whether a host of a house has a digit before the house's own name.
func isNumbered(host, house string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && strings.ContainsAny(strings.TrimSuffix(host, house), "0123456789")
}
