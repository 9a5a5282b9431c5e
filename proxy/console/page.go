package console

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"weir/scoring/verdictlog"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pagePolicy lets the page use the style in it and nothing else.
var pagePolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; style-src 'sha256-" + hashOf(pageStyle) + "'"

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// shownSymbols is how many symbols of a verdict the page shows.
const shownSymbols = 4

// pageData is what the page shows.
type pageData struct {
	State    State
	Style    template.CSS
	Query    string
	Wrong    string // what is wrong with the query
	Verdicts []entry
}

// page shows the state and the last verdicts, of those that the words of q find.
func (c *Console) page(w http.ResponseWriter, r *http.Request) {
	words := r.URL.Query()["q"]
	data := pageData{State: c.options.State(), Style: template.CSS(pageStyle), Query: strings.Join(words, " ")} //nolint:gosec // ours
	q, err := verdictlog.ParseQuery(words)
	if err != nil {
		data.Wrong = err.Error()
	} else {
		data.Verdicts = c.latest.find(q, usualVerdicts)
		slices.Reverse(data.Verdicts)
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pageTemplate.Execute(w, data); err != nil {
		c.options.Log.Debug("the console's page", "err", err) // whoever asked has gone
	}
}

// Symbols are the heaviest, for the page.
func (e entry) Symbols() []string {
	var all []string
	for _, h := range e.Hits {
		if h.Points != 0 && len(all) < shownSymbols {
			all = append(all, h.Rule+" "+h.Points.String())
		}
	}
	return all
}

// Subject is the message's, if there was one.
func (e entry) Subject() string {
	if e.Message == nil {
		return ""
	}
	return e.Message.Subject
}
