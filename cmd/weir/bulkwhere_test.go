package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/filters/store/storetest"
)

var campaignLine = regexp.MustCompile(`(?m)^(c[0-9a-f]{8})\s+(\d+)\s`)

// campaignsSeen has bulk list, show and forget find the one campaign of the proxies, and forget it in all of them.
func campaignsSeen(t *testing.T, conf string, copies int, proxies ...*served) {
	t.Helper()
	code, out, errs := verb("bulk", "list", "-c", conf)
	found := campaignLine.FindStringSubmatch(out)
	if code != exitOK || found == nil || found[2] != fmt.Sprint(copies) {
		t.Fatalf("list: exit %d\n%s%s", code, out, errs)
	}
	id := found[1]
	if code, out, errs := verb("bulk", "list", "-c", conf, "--alike", "100"); code != exitOK || strings.Contains(out, id) {
		t.Errorf("list --alike 100: exit %d\n%s%s", code, out, errs)
	}
	code, out, errs = verb("bulk", "show", "-c", conf, id)
	if code != exitOK || !regexp.MustCompile(fmt.Sprintf(`(?m)^10m\s+%d\s+%[1]d\s+3\s+1\s+1\s+0\s+%[1]d\s+1\s+0\s+0\s+83%%\s+17%%\s+0%%\s+0%%$`, copies)).MatchString(out) {
		t.Errorf("show: exit %d\n%s%s", code, out, errs)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"show", "c00000001"}, exitNoInput, "know"},
		{[]string{"forget", "c00000001"}, exitNoInput, "know"},
		{[]string{"show", "nothing"}, exitUsage, "is no name of a campaign"},
		{[]string{"forget", "../reload"}, exitUsage, "is no name of a campaign"},
		{[]string{"forget", id}, exitOK, fmt.Sprintf("forgot %s, of %d messages", id, copies)},
		{[]string{"show", id}, exitNoInput, "know"},
	} {
		if code, out, errs := verb(append([]string{"bulk", "-c", conf}, c.args...)...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v: exit %d\n%s%s", c.args, code, out, errs)
		}
	}
	for i, w := range proxies {
		alternate(t, 1, w)
		records := w.records(t, copies/len(proxies)+1)
		if last := records[len(records)-1]; last.Bulk == nil || last.Bulk.Alike != i+1 {
			t.Errorf("proxy %d after the campaign was forgotten: %+v %+v", i, last.Bulk, last.Errors)
		}
	}
}

func TestCampaignsInRedis(t *testing.T) {
	r := storetest.NewRedis(t)
	setting := fmt.Sprintf("store: { redis: { addrs: [%q], timeout: 1s } }", r.Addr)
	behind := startSink(t).Addr()
	one, other := serve(t, behind, "127.0.0.1:9", sharedRules, setting+"\n"+adminAnywhere), serve(t, behind, "127.0.0.1:9", sharedRules, setting)
	conf := filepath.Join(one.dir, "weir.yaml")
	if code, _, errs := verb("bulk", "list", "-c", conf); code != exitOK {
		t.Errorf("list of nothing: exit %d, %s", code, errs)
	}
	alternate(t, 6, one, other)
	eventually(t, "both to tell what they counted", func() bool {
		_, out, _ := verb("--json", "bulk", "list", "-c", conf)
		return strings.Contains(out, `"alike":6,`) && strings.Contains(out, `"pass":5,"tag":1,`)
	})
	_, metrics := one.get(t, "/metrics")
	for _, want := range []string{`weir_bulk_messages_total{grade="strict"} `, `weir_bulk_senders_total{standing="exempted"} 0`, "weir_store_away 0", "weir_store_lost_total 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if strings.Contains(metrics, `weir_bulk_messages_total{grade="strict"} 0`) || strings.Contains(metrics, "weir_store_round_trips_total 0") {
		t.Error("nothing was counted, or told to Redis")
	}
	campaignsSeen(t, conf, 6, one, other)
	r.Stop()
	if code, _, errs := verb("bulk", "list", "-c", conf); code != exitUnavailable || !strings.Contains(errs, "store.redis") {
		t.Errorf("without Redis: exit %d, %s", code, errs)
	}
}

// Without Redis the weir that runs is asked.
func TestCampaignsOfARunningWeir(t *testing.T) {
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", sharedRules, adminAnywhere)
	alternate(t, 6, w)
	first := w.records(t, 6)[0].ID
	text, err := os.ReadFile(filepath.Join(w.dir, "weir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	addr := adminLine.FindStringSubmatch(w.log.String())[1]
	conf := filepath.Join(w.dir, "asked.yaml")
	write(t, conf, strings.Replace(string(text), adminAnywhere, fmt.Sprintf("admin: { addr: %q }", addr), 1))
	eventually(t, "what became of the last", func() bool {
		_, out, _ := verb("--json", "bulk", "list", "-c", conf)
		return strings.Contains(out, `"pass":5,"tag":1,`)
	})
	for _, said := range []struct{ word, want string }{{"spam", `"complaints":1,`}, {"ham", `"complaints":0,`}} {
		if code, _, errs := verb("learn", said.word, "-c", conf, first); code != exitOK {
			t.Fatalf("learn %s: exit %d, %s", said.word, code, errs)
		}
		eventually(t, "the complaint to be counted", func() bool {
			_, out, _ := verb("--json", "bulk", "list", "-c", conf)
			return strings.Contains(out, said.want)
		})
	}
	campaignsSeen(t, conf, 6, w)
	if status, _ := w.get(t, "/bulk/nothing"); status != 400 {
		t.Errorf("a name that is none: %d", status)
	}
}
