package console

import (
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// moment makes metrics of the state at the moment they are read.
type moment struct {
	state func() State
	seen  *campaigns
	descs map[string]*prometheus.Desc
}

// described are the metrics of a moment.
var described = []struct {
	name, help string
	labels     []string
}{
	{"weir_sessions_total", "Sessions that have ended, by whether the client left (served), we hung up (cut) or did not let it in (refused).", []string{"listener", "result"}},
	{"weir_sessions_active", "Sessions now.", nil},
	{"weir_limited_total", "Times that a client was refused by a limit.", []string{"limit"}},
	{"weir_dns_queries_total", "Questions to a DNS list, from the cache or not: listed, not_listed, unknown.", []string{"zone", "result"}},
	{"weir_dns_duration_seconds", "How long answers of a DNS list took that did not come from the cache.", []string{"zone"}},
	{"weir_dns_parked", "1 while a DNS list is not asked.", []string{"zone"}},
	{"weir_bulk_campaigns", "Campaigns that had mail within the last half or whole day.", nil},
	{"weir_bulk_memory_bytes", "Memory used for what is remembered of earlier mail.", nil},
	{"weir_bulk_messages_total", "Messages compared with earlier ones, by how surely they belong to a campaign: none, loose, strict.", []string{"grade"}},
	{"weir_bulk_senders_total", "Messages whose sender is exempted by a list, has earned to be, or has broken with what he earned it by.", []string{"standing"}},
	{"weir_bulk_merges_total", "Campaigns that became one with another.", nil},
	{"weir_store_away", "1 while what is counted is not shared.", nil},
	{"weir_store_round_trips_total", "Round trips to Redis.", nil},
	{"weir_store_waiting", "Additions that wait to be told to Redis.", nil},
	{"weir_store_lost_total", "Additions that were never told to Redis, or perhaps not.", nil},
	{"weir_backend_up", "1 if mail goes to the server first; its name is the key of weir.yaml that says its address.", []string{"backend"}},
	{"weir_config_reload_successful", "1 unless the last reload was refused.", nil},
	{"weir_verdict_log_dropped_total", "Records that the verdict log has lost.", nil},
	{"weir_bodies_bytes", "Space that kept messages take.", nil},
	{"weir_bodies_dropped_total", "Messages that were to be kept and are not.", nil},
	{"weir_alarm", "1 while an alarm is raised.", []string{"alarm"}},
	{"weir_build_info", "Always 1.", []string{"version", "goversion"}},
}

func newMoment(state func() State, seen *campaigns) *moment {
	m := &moment{state: state, seen: seen, descs: map[string]*prometheus.Desc{}}
	for _, d := range described {
		m.descs[d.name] = prometheus.NewDesc(d.name, d.help, d.labels, nil)
	}
	return m
}

// Describe is prometheus.Collector's.
func (m *moment) Describe(to chan<- *prometheus.Desc) {
	for _, d := range described {
		to <- m.descs[d.name]
	}
}

// Collect is prometheus.Collector's.
func (m *moment) Collect(to chan<- prometheus.Metric) {
	count := func(name string, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.descs[name], prometheus.CounterValue, v, labels...)
	}
	gauge := func(name string, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.descs[name], prometheus.GaugeValue, v, labels...)
	}
	s := m.state()
	for _, o := range s.Sessions.Ended {
		count("weir_sessions_total", float64(o.Sessions), o.Listener, o.Result)
	}
	gauge("weir_sessions_active", float64(s.Sessions.Active))
	for _, l := range s.Limits {
		count("weir_limited_total", float64(l.Times), l.Name)
	}
	for zone, z := range byZone(s.Lists) {
		count("weir_dns_queries_total", float64(z.Listed), zone, "listed")
		count("weir_dns_queries_total", float64(z.Asked-z.Listed-z.Unknown), zone, "not_listed")
		count("weir_dns_queries_total", float64(z.Unknown), zone, "unknown")
		gauge("weir_dns_parked", number(z.Parked), zone)
		to <- prometheus.MustNewConstHistogram(m.descs["weir_dns_duration_seconds"], z.Took.Count, z.Took.Total.Seconds(), z.Took.Upto, zone)
	}
	gauge("weir_bulk_campaigns", float64(m.seen.count(time.Now())))
	gauge("weir_bulk_memory_bytes", float64(s.Memory.Bytes))
	count("weir_bulk_messages_total", float64(s.Bulk.Unlike), "none")
	count("weir_bulk_messages_total", float64(s.Bulk.Loose), "loose")
	count("weir_bulk_messages_total", float64(s.Bulk.Strict), "strict")
	count("weir_bulk_senders_total", float64(s.Bulk.Exempted), "exempted")
	count("weir_bulk_senders_total", float64(s.Bulk.Earned), "earned")
	count("weir_bulk_senders_total", float64(s.Bulk.Broken), "broken")
	count("weir_bulk_merges_total", float64(s.Bulk.Merges))
	if shared := s.Memory.Shared; shared != nil {
		gauge("weir_store_away", number(shared.Away))
		count("weir_store_round_trips_total", float64(shared.Trips))
		gauge("weir_store_waiting", float64(shared.Waiting))
		count("weir_store_lost_total", float64(shared.Lost))
	}
	for _, b := range s.Backends {
		gauge("weir_backend_up", number(b.Up), b.Name)
	}
	gauge("weir_config_reload_successful", number(s.Rules.Reloaded))
	var log Log
	if s.VerdictLog != nil {
		log = *s.VerdictLog
	}
	count("weir_verdict_log_dropped_total", float64(log.Dropped))
	if kept := log.Messages; kept != nil {
		gauge("weir_bodies_bytes", float64(kept.Bytes))
		count("weir_bodies_dropped_total", float64(kept.Dropped))
	}
	for _, name := range alarms {
		gauge("weir_alarm", number(slices.ContainsFunc(s.Alarms, func(a Alarm) bool { return a.Name == name })), name)
	}
	gauge("weir_build_info", 1, s.Version, runtime.Version())
}

// byZone joins lists that are shown under one name, since their keys are not.
func byZone(all []List) map[string]List {
	zones := map[string]List{}
	for _, l := range all {
		z, ok := zones[l.Zone]
		if ok {
			l.Asked, l.Listed, l.Unknown = l.Asked+z.Asked, l.Listed+z.Listed, l.Unknown+z.Unknown
			l.Parked = l.Parked || z.Parked
			l.Took = l.Took.plus(z.Took)
		}
		zones[l.Zone] = l
	}
	return zones
}

// plus adds times counted by the same lengths.
func (t Times) plus(u Times) Times {
	sum := Times{t.Count + u.Count, t.Total + u.Total, map[float64]uint64{}}
	for upto, n := range t.Upto {
		sum.Upto[upto] = n + u.Upto[upto]
	}
	return sum
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
