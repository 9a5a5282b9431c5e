package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/scoring/verdictlog"
)

// usualVerdicts is how many verdicts are shown unless the question says.
const usualVerdicts = 50

func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", c.metrics.handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", c.ready)
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { inJSON(w, http.StatusOK, c.options.State()) })
	mux.HandleFunc("GET /verdicts", c.verdicts)
	mux.HandleFunc("GET /{$}", c.page)
	if c.options.Reload != nil {
		mux.HandleFunc("POST /reload", c.reload)
	}
	if b := c.options.Bulk; b != nil {
		mux.HandleFunc("GET /bulk", c.listCampaigns)
		mux.HandleFunc("GET /bulk/{id}", func(w http.ResponseWriter, r *http.Request) { campaign(w, r, b.Show) })
		mux.HandleFunc("POST /bulk/{id}/forget", func(w http.ResponseWriter, r *http.Request) {
			if !fromHere(r) || r.Header.Get(ReloadHeader) == "" {
				text(w, http.StatusForbidden, "Forbidden")
				return
			}
			campaign(w, r, b.Forget)
		})
	}
	return mux
}

// ready says whether weir takes mail and can hand it on, else what is missing, a line each.
func (c *Console) ready(w http.ResponseWriter, _ *http.Request) {
	if state := c.options.State(); !state.Ready() {
		text(w, http.StatusServiceUnavailable, strings.Join(state.Missing, "\n"))
		return
	}
	text(w, http.StatusOK, "ready")
}

// verdicts answers with the last n records that the words of q find, as JSON lines, the newest last.
func (c *Console) verdicts(w http.ResponseWriter, r *http.Request) {
	q, err := verdictlog.ParseQuery(r.URL.Query()["q"])
	n := usualVerdicts
	if number := r.URL.Query().Get("n"); number != "" && err == nil {
		if n, err = strconv.Atoi(number); err != nil || n < 1 {
			err = fmt.Errorf("n=%q: want a number of verdicts", number)
		}
	}
	if err != nil {
		text(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	for _, e := range c.latest.find(q, n) {
		if _, err := w.Write(e.line); err != nil {
			return // whoever asked has gone
		}
	}
}

// listCampaigns answers with the n largest campaigns of at least so many alike messages.
func (c *Console) listCampaigns(w http.ResponseWriter, r *http.Request) {
	number := func(name string, usual int) int {
		n, err := strconv.Atoi(r.URL.Query().Get(name))
		if err != nil || n < 0 {
			return usual
		}
		return n
	}
	all, err := c.options.Bulk.List(r.Context(), int64(number("alike", 2)), number("n", usualVerdicts))
	if err != nil {
		text(w, http.StatusInternalServerError, err.Error())
		return
	}
	inJSON(w, http.StatusOK, all)
}

func campaign(w http.ResponseWriter, r *http.Request, what func(context.Context, string) (any, bool, error)) {
	answer, found, err := what(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		text(w, http.StatusBadRequest, err.Error())
	case !found:
		inJSON(w, http.StatusNotFound, nil)
	default:
		inJSON(w, http.StatusOK, answer)
	}
}

// reload is for programs on this machine only.
func (c *Console) reload(w http.ResponseWriter, r *http.Request) {
	if !fromHere(r) || r.Header.Get(ReloadHeader) == "" {
		text(w, http.StatusForbidden, "Forbidden")
		return
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(reloadTime)); err != nil {
		c.options.Log.Debug("no time for the answer to a reload", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reloadTime) // begun is done
	defer cancel()
	done := c.options.Reload(ctx)
	status := http.StatusOK
	if !done.OK {
		status = http.StatusUnprocessableEntity
	}
	inJSON(w, status, done)
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, s)
}

func inJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // fails only when whoever asked has gone
}
