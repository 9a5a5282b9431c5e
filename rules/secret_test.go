package rules

import (
	"strings"
	"testing"
	"testing/fstest"
)

// The key in the name of a zone is used for asking, and no message or text ever shows it.
func TestSecretsOfZones(t *testing.T) {
	const secret = "s3cr3tk3y"
	t.Setenv("WEIR_TEST_KEY", secret)
	const text = "version: 1\nzones: [{ id: ZEN, zone: '${env:WEIR_TEST_KEY}.zen.dq.test', ask: [client_ip], public: 'at {{ .zone }}', answers: [{ id: A, is: 127.0.0.2, score: 1 }] }]\n"
	set := loadText(t, text)
	z := set.Zones[0]
	if z.Zone != secret+".zen.dq.test" || z.Display != "zen.dq.test" || set.Symbols["ZEN_A"].Public != "at zen.dq.test" {
		t.Errorf("zone %q, shown as %q, public %q", z.Zone, z.Display, set.Symbols["ZEN_A"].Public)
	}
	if strings.Contains(set.Symbols["ZEN_A"].About, secret) {
		t.Errorf("the secret is shown: %s", set.Symbols["ZEN_A"].About)
	}
	_, wrong := loadFrom(fstest.MapFS{"r.yaml": {Data: []byte(strings.Replace(text, ".zen", " zen", 1))}}, "r.yaml")
	if wrong.Err() == nil {
		t.Error("a zone with a blank is taken")
	}
	for _, f := range wrong {
		if strings.Contains(f.String()+f.Line+f.Hint, secret) {
			t.Errorf("a finding shows the secret: %v", f)
		}
	}
}
