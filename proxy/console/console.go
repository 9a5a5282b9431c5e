// Package console is the operator's view of a running weir, over HTTP: /metrics for Prometheus, /livez and /readyz for
// whoever starts and stops it, /state and /verdicts for scripts, / for people, and POST /reload for `weir reload`.
//
// It reads records and a State and decides nothing. Record never waits for anything but memory, so no mail waits for
// whoever looks. What is kept is bounded: the last records by number and by bytes, the labels of metrics by the
// configuration. No address is a label.
//
//	c := console.New(console.Options{State: state, Reload: reload})
//	server.Record = c.Record
//	err := c.Serve(ctx, listener)
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"weir/scoring/verdictlog"
)

// Bounds of what those who ask may use.
const (
	connections   = 32 // at once
	headerBytes   = 8 << 10
	headerTime    = 5 * time.Second
	answerTime    = 30 * time.Second
	idleTime      = time.Minute
	reloadTime    = 5 * time.Minute
	closePatience = 2 * time.Second
)

// ReloadHeader must be on a POST /reload, with any value. A web page cannot make a browser send it here.
const ReloadHeader = "X-Weir-Reload"

// Options are what a console is made of.
type Options struct {
	Allow  []netip.Prefix // who may ask besides this machine
	Host   string         // a name by which it may be asked, besides addresses and localhost
	State  func() State   // how weir fares; called for each question
	Reload func(context.Context) Reloaded
	Bulk   *Bulk        // nil where campaigns are not asked for here
	Log    *slog.Logger // nil for none
}

// Bulk answers for campaigns. What its funcs return is written as JSON; false for a campaign that is not known, and an error
// for a name that is none.
type Bulk struct {
	List   func(ctx context.Context, least int64, last int) (any, error)
	Show   func(ctx context.Context, name string) (any, bool, error)
	Forget func(ctx context.Context, name string) (any, bool, error)
}

// Reloaded is what became of a reload.
type Reloaded struct {
	OK         bool     `json:"ok"`
	Generation int      `json:"generation"` // in force now
	Findings   []string `json:"findings"`   // errors, or warnings of one that went well
}

// Console is made by New. Its methods may be called by any number of goroutines.
type Console struct {
	options Options
	metrics *metrics
	latest  ring
	handler http.Handler
}

// New makes a console. Options.State must be set; without Reload there is no /reload.
func New(o Options) *Console {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Console{options: o, metrics: newMetrics(o.State)}
	c.handler = c.admitted(c.routes())
	return c
}

// Record takes the record of a transaction or a refused session. It keeps nothing of r itself.
func (c *Console) Record(r verdictlog.Record) {
	c.metrics.record(&r)
	c.latest.add(&r)
}

// ServeHTTP answers one question.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Serve answers questions on l until ctx ends; then it closes l and waits a moment for the answers under way.
func (c *Console) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: c, MaxHeaderBytes: headerBytes, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime,
		WriteTimeout: answerTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(c.options.Log.Handler(), slog.LevelDebug),
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		if server.Shutdown(bounded) != nil {
			server.Close()
		}
	})
	err := server.Serve(limit(l, connections))
	if !stop() {
		<-closed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin listener: %w", err)
}
