package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEveryListOfTheCatalogueLoads(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("sesame7"), 0o600); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, c := range Catalogue() {
		for _, keyed := range []bool{false, true} {
			text := "version: 1\nzones:\n  - use: " + c.Name + "\n"
			want := c.Zone
			if keyed {
				text += "    key: ${file:" + key + "}\n"
				want = "sesame7." + c.Keyed
			}
			set, findings := loadFrom(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
			if (findings != nil) != (keyed && c.Keyed == "" || !keyed && c.Zone == "") {
				t.Errorf("%s, keyed=%v: %v", c.Name, keyed, findings)
			}
			if set == nil {
				continue
			}
			z := set.Zones[0]
			if z.ID != c.ID || z.Zone != want || strings.Contains(z.Display, "sesame") || len(z.Answers) != len(c.Answers) || z.Src.File != "r.yaml" {
				t.Errorf("%s: loaded %+v", c.Name, z)
			}
			for _, s := range set.Symbols {
				if s.About == "" || strings.Contains(s.About+s.Public, "sesame") || s.Src.Line == 0 {
					t.Errorf("%s: symbol %+v", c.Name, s)
				}
			}
		}
		if ids[c.ID] || ids[c.Name] || c.About == "" || c.Terms == "" || c.Zone+c.Keyed == "" {
			t.Errorf("entry %+v", c)
		}
		ids[c.ID], ids[c.Name] = true, true
	}
	if len(ids) < 40 {
		t.Errorf("%d names and ids", len(ids))
	}
}

// What the rules say goes before what the catalogue says.
func TestAListOfTheCatalogueIsChanged(t *testing.T) {
	set := loadText(t, `version: 1
zones:
  - use: spamhaus-zen
    id: MINE
    zone: zen.mirror.test
    ask: [client_ip, received_ip]
    for: v4
    combine: max
    public: "see {{ .zone }}"
    test: { unlisted: 127.0.0.1 }
    answers:
      - { id: SBL, score: 6, mode: hard }
      - { id: CSS, is: 127.0.0.33, public: css }
      - { id: NEW, is: 127.0.0.44, score: 1 }
    errors: [{ is: 127.0.0.99, means: mirror is old }]
  - use: spamcop
`)
	z := set.Zones[0]
	if z.ID != "MINE" || z.Zone != "zen.mirror.test" || len(z.Ask) != 2 || !z.For.V4 || len(z.Errors) != 4 || z.Test.Listed != nil || !z.Hard {
		t.Errorf("zone %+v", z)
	}
	var got []string
	for _, a := range z.Answers {
		s := set.Symbols[a.Symbol]
		from := "?"
		if a.Match.Ranges != nil {
			from = a.Match.Ranges[0].From.String()
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s:%d %v", s.Name, from, s.Points, s.Mode, s.Public, s.Src.File, s.Src.Line, a.Ask))
	}
	want := []string{
		"MINE_SBL 127.0.0.2 6.00 hard see zen.mirror.test rules.yaml:12 []", "MINE_CSS 127.0.0.33 2.00 weighted css rules.yaml:13 []",
		"MINE_XBL 127.0.0.4 4.00 weighted see zen.mirror.test builtin:catalogue", "MINE_DROP", "MINE_PBL", "MINE_BCL",
		"MINE_NEW 127.0.0.44 1.00 weighted see zen.mirror.test rules.yaml:14 []",
	}
	for i, w := range want {
		if len(got) != len(want) || !strings.HasPrefix(got[i], w) {
			t.Errorf("answers\n%s", strings.Join(got, "\n"))
			break
		}
	}
	if set.Symbols["MINE_PBL"].OneOf == "" || set.Symbols["SPAMCOP_BL"].Points != 200 {
		t.Error("other keys are lost")
	}
	if other := loadText(t, "version: 1\nzones: [{ use: spamcop }]\n"); other.Digest == set.Digest {
		t.Error("one digest for two sets")
	}
}

// A key in the rules themselves is refused, and not printed with the refusal.
func TestAKeyInTheRulesIsNotShown(t *testing.T) {
	_, findings := loadFrom(fstest.MapFS{"r.yaml": {Data: []byte("version: 1\nzones:\n  - { use: spamhaus-zen, key: sesame7 }\n")}}, "r.yaml")
	if text := fmt.Sprintf("%v %+v", findings, findings); findings.Err() == nil || strings.Contains(text, "sesame7") {
		t.Errorf("findings %s", text)
	}
}
