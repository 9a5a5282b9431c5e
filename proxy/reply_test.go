package proxy

import (
	"testing"
	"testing/fstest"

	"weir/rules"
	"weir/scoring"
)

func TestRefusalsSayWhatTheRulesSay(t *testing.T) {
	const own = "version: 1\nreject: { text: 'No{{ if .reasons }}, {{ .reasons }}{{ end }}: {{ .id }}' }\ndefer: { text: 'Später{{ if .reasons }}, {{ .reasons }}{{ end }}.' }\n"
	for _, c := range []struct {
		text    string
		action  rules.Action
		reasons []string
		want    string
	}{
		{"version: 1\n", rules.Reject, []string{"a", "b"}, "550 5.7.1 Message refused as likely spam (a, b). Reference ID."},
		{"version: 1\n", rules.Defer, []string{"a", "b"}, "451 4.7.1 Message deferred, try again later. Reference ID"},
		{own, rules.Reject, nil, "550 5.7.1 No: ID"},
		{own, rules.Defer, []string{"a", "b"}, "451 4.7.1 Sp?ter, a, b. Reference ID"},
	} {
		set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(c.text)}}, "r.yaml", nil)
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		if got := RefusalFor(set, &scoring.Verdict{Action: c.action, Reasons: c.reasons}, "ID").String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
