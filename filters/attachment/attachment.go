// Package attachment looks at files: what they are by their content against what they are called, what is in archives,
// and what the `attachment:` rules of the operator look for. Names alone are judged by the check structure.
package attachment

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"weir/filters"
	"weir/filters/mime"
	"weir/rules"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// The symbols that the check has of its own.
const (
	program    = "FILE_PROGRAM"
	misnamed   = "FILE_MISNAMED"
	archived   = "FILE_ARCHIVED_PROGRAM"
	encrypted  = "FILE_ENCRYPTED"
	macros     = "FILE_MACROS"
	activePage = "FILE_ACTIVE_PAGE"
)

// maxDetail bounds the name in a detail, in letters.
const maxDetail = 60

// New makes the check of the built-in symbols and of rules. It looks nothing up and keeps nothing.
func New(own []rules.Attachment) filters.Check {
	check := filters.Check{
		Name:    "attachment",
		Doc:     "Files: what they are by their content, what is in archives, and the rules that look at them",
		Stage:   filters.Body,
		Symbols: []string{program, misnamed, archived, encrypted, macros, activePage},
	}
	for _, r := range own {
		check.Symbols = append(check.Symbols, r.Symbol)
	}
	check.Run = func(ctx context.Context, m filters.Mail) (filters.Report, error) {
		var found findings
		if m.Message == nil {
			return filters.Report{}, nil
		}
		for _, p := range m.Message.Files() {
			if err := ctx.Err(); err != nil {
				return filters.Report{}, err
			}
			found.builtIn(p)
			for i := range own {
				if detail, ok := holds(&own[i], p); ok {
					found.report(own[i].Symbol, detail)
				}
			}
		}
		return filters.Report{Hits: found}, nil
	}
	return check
}

// findings are hits, each symbol once.
type findings []filters.Hit

func (f *findings) report(symbol, detail string) {
	if !slices.ContainsFunc(*f, func(h filters.Hit) bool { return h.Symbol == symbol }) {
		*f = append(*f, filters.Hit{Symbol: symbol, Detail: shorten(detail)})
	}
}

// builtIn judges one file by its content.
func (f *findings) builtIn(p *mime.Part) {
	c := p.Content()
	name := p.Filename
	if mime.IsProgram(c.Kind) {
		f.report(program, fmt.Sprintf("%s: %s", name, c.Kind))
	}
	if claims := claimed(name); claims != nil && c.Kind != "" && !slices.Contains(claims, c.Kind) {
		f.report(misnamed, fmt.Sprintf("%s: %s", name, c.Kind))
	}
	if c.Kind != "jar" && c.Kind != "apk" { // what these hold is programs by their nature, and they are one themselves
		for _, m := range c.Members {
			if mime.IsProgram(m.Kind) || runs(m.Name) {
				f.report(archived, fmt.Sprintf("%s: %s", name, m.Name))
				break
			}
		}
	}
	if c.Encrypted {
		f.report(encrypted, name)
	}
	if c.Macros {
		f.report(macros, name)
	}
	if c.Active && p.Disposition == "attachment" {
		f.report(activePage, name)
	}
}

// runnable finds names that a double click runs.
var runnable = regexp.MustCompile(`(?i)\.(?:exe|scr|com|pif|bat|cmd|vb[se]|jse?|ws[fh]|hta|msi|cpl|jar|lnk|reg|ps1|iso|img|vhdx?|chm|scf|xll)[. ]*$`)

func runs(name string) bool { return runnable.MatchString(path.Base(name)) }

// claimed are the kinds that a file of this name may be; nil if the name promises none that can be told by content.
func claimed(name string) []string {
	switch strings.ToLower(strings.TrimPrefix(path.Ext(strings.TrimRight(name, ". ")), ".")) {
	case "pdf":
		return []string{"pdf"}
	case "doc", "dot", "rtf": // Word opens each as what it is
		return []string{"ole", "rtf", "docx", "html", "xml", "text"}
	case "xls", "csv":
		return []string{"ole", "xlsx", "html", "xml", "text"}
	case "ppt":
		return []string{"ole", "pptx"}
	case "docx", "docm", "dotx":
		return []string{"docx", "ole"} // an encrypted one is a compound file
	case "xlsx", "xlsm", "xlsb":
		return []string{"xlsx", "ole"}
	case "pptx", "pptm":
		return []string{"pptx", "ole"}
	case "jpg", "jpeg", "png", "gif", "bmp", "webp", "tif", "tiff", "ico": // mail programs mix these up
		return []string{"jpeg", "png", "gif", "bmp", "webp", "tiff", "ico", "mp4"}
	case "mp3", "wav", "ogg", "mp4", "avi":
		return []string{"mp3", "wav", "ogg", "mp4", "avi", "flac"}
	case "zip":
		return []string{"zip", "docx", "xlsx", "pptx", "odf", "epub", "jar", "apk"}
	case "txt", "log", "md":
		return []string{"text", "xml", "html", "script"}
	}
	return nil
}

// holds reports whether all that r says holds of p, with a word of evidence.
func holds(r *rules.Attachment, p *mime.Part) (detail string, ok bool) {
	matches := func(re *regexp.Regexp, text string) bool { return re == nil || re.MatchString(text) }
	if !matches(r.Name, p.Filename) || !matches(r.Declared, p.ContentType) {
		return "", false
	}
	if size := int64(len(p.Decoded())); size < r.From || r.Below > 0 && size >= r.Below {
		return "", false
	}
	c := p.Content()
	if r.Types != nil && !slices.Contains(r.Types, c.Kind) {
		return "", false
	}
	if r.Member == nil {
		return p.Filename, true
	}
	for _, m := range c.Members {
		if r.Member.MatchString(m.Name) {
			return fmt.Sprintf("%s: %s", p.Filename, m.Name), true
		}
	}
	return "", false
}

func shorten(s string) string {
	letters := []rune(s)
	if len(letters) <= maxDetail {
		return s
	}
	return string(letters[:maxDetail-1]) + "…"
}

// Sample is a message for the proof of an `attachment:` rule: text is the name of an empty file, or a file as a part of
// mail, with its fields, a blank line and its content.
func Sample(text string) *filters.Message {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if !strings.HasPrefix(strings.ToLower(text), "content-") {
		text = "Content-Type: application/octet-stream\r\nContent-Disposition: attachment;\r\n filename=\"" +
			strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r\n", " ").Replace(text) + "\"\r\n\r\n"
	}
	return filters.ParseMessage([]byte("MIME-Version: 1.0\r\n" + text + "\r\n"))
}
