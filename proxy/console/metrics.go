package console

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/scoring/verdictlog"
)

// metrics are what Prometheus reads: totals of records, and the state of the moment.
type metrics struct {
	registry *prometheus.Registry
	messages *prometheus.CounterVec
	rules    *prometheus.CounterVec
	trial    *prometheus.CounterVec
	scan     *prometheus.HistogramVec
	backend  prometheus.Histogram
	size     prometheus.Histogram
	score    prometheus.Histogram
	seen     campaigns
}

// Bounds of the histograms' buckets.
var (
	scanSeconds    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	backendSeconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	sizes          = []float64{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20}
	scores         = []float64{-10, -5, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30}
)

// newMetrics makes metrics in a registry of their own.
func newMetrics(state func() State) *metrics {
	histogram := func(name, help string, bounds []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_messages_total",
			Help: "Transactions by what was decided and the policy, none where no rule had looked."}, []string{"action", "policy"}),
		rules: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_rule_hits_total",
			Help: "Verdicts in which a symbol counted."}, []string{"rule"}),
		trial: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_candidate_total",
			Help: "Verdicts that the rules on trial would have made otherwise, by both actions; unknown where that is not known."}, []string{"action", "candidate"}),
		scan: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_scan_duration_seconds", Buckets: scanSeconds,
			Help: "What a message waited for: dns and checks the slowest of each, parse, and total from MAIL to the reply."}, []string{"stage"}),
		backend: histogram("weir_backend_duration_seconds", "What a transaction waited for the server behind.", backendSeconds),
		size:    histogram("weir_message_size_bytes", "Messages received, by size.", sizes),
		score:   histogram("weir_score", "Messages judged, by score.", scores),
	}
	m.registry.MustRegister(m.messages, m.rules, m.trial, m.scan, m.backend, m.size, m.score, newMoment(state, &m.seen),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// record counts r.
func (m *metrics) record(r *verdictlog.Record) {
	if r.Verdict.At == verdictlog.AtConnect {
		return // a session that was not let in is among the sessions
	}
	policy := r.Verdict.Policy
	if policy == "" {
		policy = "none"
	}
	m.messages.WithLabelValues(r.Verdict.Action.String(), policy).Inc()
	for _, h := range r.Hits {
		if !strings.Contains(h.Rule, ":") { // which corrects others
			m.rules.WithLabelValues(h.Rule).Inc()
		}
	}
	if c := r.Candidate; c.Differs() {
		m.trial.WithLabelValues(r.Verdict.Action.String(), c.Action.String()).Inc()
	} else if c != nil {
		m.trial.WithLabelValues(r.Verdict.Action.String(), "unknown").Inc()
	}
	m.time("dns", r.Timing.DNS)
	m.time("total", r.Timing.Total)
	if r.Backend != nil && r.Timing.Backend > 0 {
		m.backend.Observe(seconds(r.Timing.Backend))
	}
	if r.Verdict.At != verdictlog.AtData {
		return
	}
	m.size.Observe(float64(r.Envelope.Size))
	if r.Verdict.Policy == "" {
		return
	}
	m.score.Observe(float64(r.Verdict.Score) / 100)
	m.time("parse", r.Timing.Parse)
	var slowest int64
	for _, took := range r.Timing.Checks {
		slowest = max(slowest, took)
	}
	m.time("checks", slowest)
	if r.Bulk != nil && r.Bulk.Alike > 1 {
		m.seen.add(r.Bulk.Campaign, time.Now())
	}
}

func (m *metrics) time(stage string, micros int64) {
	m.scan.WithLabelValues(stage).Observe(seconds(micros))
}

func seconds(micros int64) float64 { return (time.Duration(micros) * time.Microsecond).Seconds() }

// Bounds of what is known of campaigns.
const (
	campaignsFor  = 12 * time.Hour // and up to twice that
	mostCampaigns = 100_000
)

// campaigns are those that had mail lately. The zero value is ready.
type campaigns struct {
	mu         sync.Mutex
	young, old map[string]bool
	turned     time.Time
}

func (c *campaigns) add(id string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	delete(c.old, id)
	c.young[id] = true
}

func (c *campaigns) count(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	return len(c.young) + len(c.old)
}

// turn forgets those that had no mail for long, or the older half when there are too many.
func (c *campaigns) turn(now time.Time) {
	switch passed := now.Sub(c.turned); {
	case c.young == nil, passed > 2*campaignsFor:
		c.young, c.old = map[string]bool{}, nil
	case passed > campaignsFor, len(c.young) >= mostCampaigns/2:
		c.young, c.old = map[string]bool{}, c.young
	default:
		return
	}
	c.turned = now
}
