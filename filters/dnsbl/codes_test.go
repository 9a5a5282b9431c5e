package dnsbl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/rules"
)

// codes are what each list of the catalogue may answer, and what that means: symbols, or a problem as "!kind".
var codes = []struct{ list, answer, want string }{
	{"spamhaus-zen", "127.0.0.2", "ZEN_SBL"},
	{"spamhaus-zen", "127.0.0.3", "ZEN_CSS"},
	{"spamhaus-zen", "127.0.0.4", "ZEN_XBL"},
	{"spamhaus-zen", "127.0.0.5", "ZEN_XBL"},
	{"spamhaus-zen", "127.0.0.7", "ZEN_XBL"},
	{"spamhaus-zen", "127.0.0.8", ""},
	{"spamhaus-zen", "127.0.0.2 127.0.0.9", "ZEN_SBL ZEN_DROP"},
	{"spamhaus-zen", "127.0.0.10", "ZEN_PBL"},
	{"spamhaus-zen", "127.0.0.11", "ZEN_PBL"},
	{"spamhaus-zen", "127.0.0.4 127.0.0.11", "ZEN_XBL ZEN_PBL"},
	{"spamhaus-zen", "127.0.0.30", "ZEN_BCL"},
	{"spamhaus-zen", "127.255.255.252", "!sentinel"},
	{"spamhaus-zen", "127.255.255.254", "!sentinel"},
	{"spamhaus-zen", "127.255.255.255", "!sentinel"},
	{"spamhaus-zen", "127.255.255.1", "!sentinel"},
	{"spamhaus-zen", "127.0.0.2 127.255.255.254", "!sentinel"},
	{"spamhaus-authbl", "127.0.0.20", "AUTHBL_AUTH"},
	{"spamhaus-authbl", "127.255.255.252", "!sentinel"},
	{"spamhaus-dbl", "127.0.1.2", "DBL_SPAM"},
	{"spamhaus-dbl", "127.0.1.4", "DBL_PHISH"},
	{"spamhaus-dbl", "127.0.1.5", "DBL_MALWARE"},
	{"spamhaus-dbl", "127.0.1.6", "DBL_BOTNET"},
	{"spamhaus-dbl", "127.0.1.102", "DBL_ABUSED"},
	{"spamhaus-dbl", "127.0.1.103", "DBL_REDIRECTOR"},
	{"spamhaus-dbl", "127.0.1.104", "DBL_ABUSED_PHISH"},
	{"spamhaus-dbl", "127.0.1.105", "DBL_ABUSED_MALWARE"},
	{"spamhaus-dbl", "127.0.1.106", "DBL_ABUSED_BOTNET"},
	{"spamhaus-dbl", "127.0.1.255", "!sentinel"},
	{"spamhaus-dbl", "127.255.255.254", "!sentinel"},
	{"spamhaus-zrd", "127.0.2.2", "ZRD_FRESH"},
	{"spamhaus-zrd", "127.0.2.4", "ZRD_FRESH"},
	{"spamhaus-zrd", "127.0.2.5", "ZRD_YOUNG"},
	{"spamhaus-zrd", "127.0.2.24", "ZRD_YOUNG"},
	{"spamhaus-zrd", "127.0.2.255", "!sentinel"},
	{"spamcop", "127.0.0.2", "SPAMCOP_BL"},
	{"barracuda", "127.0.0.2", "BARRACUDA_BL"},
	{"mailspike", "127.0.0.2", "MAILSPIKE_WAVE"},
	{"mailspike", "127.0.0.10", "MAILSPIKE_WORST"},
	{"mailspike", "127.0.0.11", "MAILSPIKE_VERYBAD"},
	{"mailspike", "127.0.0.12", "MAILSPIKE_BAD"},
	{"mailspike", "127.0.0.13", "MAILSPIKE_NEUTRAL"},
	{"mailspike", "127.0.0.16", "MAILSPIKE_NEUTRAL"},
	{"mailspike", "127.0.0.17", "MAILSPIKE_POSSIBLE"},
	{"mailspike", "127.0.0.18", "MAILSPIKE_GOOD"},
	{"mailspike", "127.0.0.19", "MAILSPIKE_VERYGOOD"},
	{"mailspike", "127.0.0.20", "MAILSPIKE_EXCELLENT"},
	{"dnswl", "127.0.10.0", "DNSWL_NONE"},
	{"dnswl", "127.0.5.1", "DNSWL_LOW"},
	{"dnswl", "127.0.20.2", "DNSWL_MED"},
	{"dnswl", "127.0.11.3", "DNSWL_HI"},
	{"dnswl", "127.0.0.255", "!sentinel"},
	{"dnswl", "127.1.2.3", ""},
	{"dnswl-dwl", "127.0.2.0", "DWL_NONE"},
	{"dnswl-dwl", "127.0.15.1", "DWL_LOW"},
	{"dnswl-dwl", "127.0.15.2", "DWL_MED"},
	{"dnswl-dwl", "127.0.15.3", "DWL_HI"},
	{"dnswl-dwl", "127.0.0.255", "!sentinel"},
	{"surbl", "127.0.1.64", ""},
	{"uribl", "127.0.1.2", ""},
	{"surbl", "127.0.0.4", "SURBL_DM"},
	{"surbl", "127.0.0.8", "SURBL_PH"},
	{"surbl", "127.0.0.16", "SURBL_MW"},
	{"surbl", "127.0.0.32", "SURBL_CT"},
	{"surbl", "127.0.0.64", "SURBL_ABUSE"},
	{"surbl", "127.0.0.80", "SURBL_MW SURBL_ABUSE"},
	{"surbl", "127.0.0.128", "SURBL_CR"},
	{"surbl", "127.0.0.252", "SURBL_DM SURBL_PH SURBL_MW SURBL_CT SURBL_ABUSE SURBL_CR"},
	{"surbl", "127.0.0.2", ""},
	{"surbl", "127.0.0.1", "!sentinel"},
	{"surbl", "127.0.0.65", "!sentinel"},
	{"surbl-hash", "127.0.0.8", "SURBL_HASH_PH"},
	{"surbl-hash", "127.0.0.16", "SURBL_HASH_MW"},
	{"surbl-hash", "127.0.0.64", "SURBL_HASH_ABUSE"},
	{"surbl-hash", "127.0.0.128", "SURBL_HASH_CR"},
	{"surbl-hash", "127.0.1.17", "SURBL_HASH_EMAIL"},
	{"uribl", "127.0.0.1", "!sentinel"},
	{"uribl", "127.0.0.2", "URIBL_BLACK"},
	{"uribl", "127.0.0.4", "URIBL_GREY"},
	{"uribl", "127.0.0.8", "URIBL_RED"},
	{"uribl", "127.0.0.14", "URIBL_BLACK URIBL_GREY URIBL_RED"},
	{"msbl-ebl", "127.0.0.2", "EBL_BLACK"},
	{"msbl-ebl", "127.0.0.3", "EBL_BLACK"},
	{"msbl-ebl", "127.0.1.2", "EBL_GREY"},
	{"msbl-ebl", "127.0.1.3", "EBL_GREY"},
	{"spameatingmonkey", "127.0.0.2", "SEM_BL"},
	{"spameatingmonkey-v6", "127.0.0.2", "SEM6_BL"},
	{"spameatingmonkey-uri", "127.0.0.2", "SEM_URI_BL"},
	{"spameatingmonkey-fresh", "127.0.0.2", "SEM_FRESH_NEW"},
	{"blocklist-de", "127.0.0.17", "BLOCKLIST_DE_ANY"},
	{"blocklist-de", "127.255.254.17", "BLOCKLIST_DE_ANY"},
	{"blocklist-de", "127.0.0.1", "!sentinel"},
	{"blocklist-de", "127.255.255.254", "!sentinel"},
	{"blocklist-de", "126.255.255.255", "!sentinel"},
	{"blocklist-de", "128.0.0.2", "!sentinel"},
	{"blocklist-de", "198.51.100.80", "!sentinel"},
	{"virusfree", "127.0.0.2", "VIRUSFREE_BIP"},
	{"psbl", "127.0.0.2", "PSBL_BL"},
	{"uceprotect-1", "127.0.0.2", "UCEPROTECT1_BL"},
	{"uceprotect-2", "127.0.0.2", "UCEPROTECT2_BL"},
	{"hostkarma", "127.0.0.1", "HOSTKARMA_WHITE"},
	{"hostkarma", "127.0.0.2", "HOSTKARMA_BLACK"},
	{"hostkarma", "127.0.0.3", "HOSTKARMA_YELLOW"},
	{"hostkarma", "127.0.0.4 127.0.2.1", "HOSTKARMA_BROWN"},
	{"hostkarma", "127.0.0.5 127.0.1.1", "HOSTKARMA_NOBL"},
	{"hostkarma", "127.255.255.254", "!sentinel"},
	{"senderscore", "127.0.4.0", "SENDERSCORE_POOR"},
	{"senderscore", "127.0.4.29", "SENDERSCORE_POOR"},
	{"senderscore", "127.0.4.30", "SENDERSCORE_FAIR"},
	{"senderscore", "127.0.4.99", "SENDERSCORE_FINE"},
	{"senderscore", "127.255.255.255", "!sentinel"},
	{"backscatterer", "127.0.0.2", "BACKSCATTERER_BL"},
	{"spamhaus-sbl-links", "127.0.0.2 127.0.0.9", "SBL_LINKS_SBL SBL_LINKS_DROP"},
	{"spamhaus-sbl-links", "127.0.0.3", "SBL_LINKS_CSS"},
	{"spamhaus-sbl-links", "127.255.255.254", "!sentinel"},
}

// catalogued loads a list of the catalogue, with a key if it needs one.
func catalogued(t testing.TB, list rules.Listing) rules.Zone {
	t.Helper()
	text := "version: 1\nzones:\n  - use: " + list.Name + "\n"
	if list.Zone == "" {
		text += "    key: ${env:WEIR_TEST_DQS}\n"
	}
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", nil)
	if findings != nil {
		t.Fatal(findings)
	}
	return set.Zones[0]
}

// keyOf is what row n of the codes is asked for.
func keyOf(z *rules.Zone, n int) (subject, key string) {
	switch ip := netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}); {
	case !z.Ask[0].IsIP():
		subject = fmt.Sprintf("r%d.example", n)
		if z.Hash != "" {
			return subject, zone{Zone: z}.hashed(subject).key
		}
		return subject, subject
	case z.For.V6:
		ip = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(n)})
		return ip.String(), lookup.ReverseName(ip)
	default:
		return ip.String(), lookup.ReverseName(ip)
	}
}

// codesBy asks all rows of the codes through r, a few at once, and returns the symbols of each and its problems as "!kind".
// Lists that guards have parked are not asked.
func codesBy(t *testing.T, zones map[string]*rules.Zone, r *lookup.Resolver, guards *Guards) []string {
	t.Helper()
	rows := make([]int, len(codes))
	for n := range rows {
		rows[n] = n
	}
	var all []string
	for few := range slices.Chunk(rows, 4) { // the largest answers fill a socket's buffer
		all = append(all, each(few, func(n int) string { return codeBy(t, n, zones[codes[n].list], r, guards) })...)
	}
	return all
}

func codeBy(t *testing.T, n int, z *rules.Zone, r *lookup.Resolver, guards *Guards) string {
	t.Helper()
	subject, key := keyOf(z, n)
	if p, ok := guards.of(z).admit(t.Context(), z); !ok {
		return "!" + p.Kind
	}
	q := &question{zone: z, asks: z.Ask, subject: subject, key: key}
	ask(t.Context(), []*question{q}, r.Lookup)
	var report filters.Report
	tell(&report, z, []*question{q})
	var got []string
	for _, h := range report.Hits {
		got = append(got, h.Symbol)
	}
	for _, p := range report.Problems {
		got = append(got, "!"+p.Kind)
	}
	return strings.Join(got, " ")
}

// expectCodes expects of each row what it says.
func expectCodes(t *testing.T, zones map[string]*rules.Zone, r *lookup.Resolver) {
	t.Helper()
	for n, got := range codesBy(t, zones, r, nil) {
		if row := codes[n]; got != row.want {
			t.Errorf("%s answers %s: got %q, want %q", row.list, row.answer, got, row.want)
		}
	}
}

func allCatalogued(t *testing.T) map[string]*rules.Zone {
	t.Helper()
	t.Setenv("WEIR_TEST_DQS", "sesame7")
	zones := map[string]*rules.Zone{}
	for _, list := range rules.Catalogue() {
		z := catalogued(t, list)
		zones[list.Name] = &z
	}
	return zones
}

// saysCodes lets the server of b say the rows of the codes.
func (b *bench) saysCodes(t *testing.T, zones map[string]*rules.Zone) {
	t.Helper()
	for n, row := range codes {
		_, key := keyOf(zones[row.list], n)
		if err := b.zone.Set(key+"."+zones[row.list].Zone, strings.Fields(row.answer)...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryCodeOfEveryList(t *testing.T) {
	zones := allCatalogued(t)
	b := newBench(t, 10*time.Second)
	b.saysCodes(t, zones)
	covered := map[string]bool{}
	for _, row := range codes {
		for symbol := range strings.FieldsSeq(row.want) {
			covered[symbol] = true
		}
	}
	expectCodes(t, zones, b.resolver)
	for name, z := range zones {
		for _, a := range z.Answers {
			if !covered[a.Symbol] {
				t.Errorf("%s: no row for %s", name, a.Symbol)
			}
		}
	}
}

// Every code of every list from a server that lies, fails or misbehaves: the truth, or nothing and why.
func TestEveryCodeFromAHostileServer(t *testing.T) {
	zones := allCatalogued(t)
	const truth = "the truth"
	for name, c := range map[string]struct {
		twist lookuptest.Twist
		want  string
	}{
		"wrong id":                     {lookuptest.WrongID, "!timeout"},
		"wrong id, then right":         {lookuptest.Before(lookuptest.WrongID), truth},
		"wrong question":               {lookuptest.WrongQuestion, "!timeout"},
		"wrong question, then right":   {lookuptest.Before(lookuptest.WrongQuestion), truth},
		"wrong case":                   {lookuptest.WrongCase, "!timeout"},
		"an answer to another, forged": {lookuptest.Before(forged), truth},
		"truncated":                    {lookuptest.Truncated, truth},
		"truncated over TCP too":       {lookuptest.AlwaysTruncated, "!timeout"},
		"an alias of itself":           {lookuptest.Loop, "!failed"},
		"duplicate":                    {lookuptest.Twice, truth},
		"oversized":                    {lookuptest.Oversized, truth},
		"lame":                         {lookuptest.Lame, "!failed"},
		"SERVFAIL":                     {lookuptest.Code(lookuptest.Servfail), "!servfail"},
		"REFUSED":                      {lookuptest.Code(lookuptest.Refused), "!refused"},
		"silent":                       {lookuptest.Silent, "!timeout"},
		"cut":                          {lookuptest.Cut, "!failed"},
		"garbled":                      {lookuptest.Garbled, "!failed"},
		"hijacked":                     {lookuptest.Says(198, 51, 100, 80), "!sentinel"},
		"a public resolver":            {lookuptest.Says(127, 255, 255, 254), "!sentinel"},
		"over quota":                   {lookuptest.Says(127, 255, 255, 255), "!sentinel"},
		"nothing is listed":            {lookuptest.Code(lookuptest.NXDomain), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 20 * time.Second
			if c.want == "!timeout" {
				timeout = 50 * time.Millisecond
			}
			b := newBench(t, timeout)
			b.saysCodes(t, zones)
			b.server.Twist(c.twist)
			for n, got := range codesBy(t, zones, b.resolver, nil) {
				want := c.want
				if want == truth {
					want = codes[n].want
				}
				if row := codes[n]; got != want {
					t.Errorf("%s answers %s: got %q, want %q", row.list, row.answer, got, want)
				}
			}
		})
	}
}

// forged is what somebody sends who knows the question and not its id: that everybody is listed.
func forged(packet []byte, tcp bool) [][]byte {
	return lookuptest.WrongID(lookuptest.Says(127, 0, 0, 2)(packet, tcp)[0], tcp)
}

// Each list of the catalogue that lists everything overnight is parked by its test points.
func TestEveryListThatHasDied(t *testing.T) {
	zones := allCatalogued(t)
	b := newBench(t, 20*time.Second)
	b.server.Twist(lookuptest.Says(127, 0, 0, 2))
	var all []rules.Zone
	for _, z := range zones {
		all = append(all, *z)
	}
	g := NewGuards(b.resolver)
	g.Watch(all)
	run(t, g)
	for n, got := range codesBy(t, zones, b.resolver, g) {
		if got != "!parked" {
			t.Errorf("%s: %q", codes[n].list, got)
		}
	}
}

// Answers that come when nobody waits any more score nothing; asked again, they are there.
func TestEveryCodeThatComesLate(t *testing.T) {
	zones := allCatalogued(t)
	b := newBench(t, 20*time.Second)
	b.saysCodes(t, zones)
	release := make(chan struct{})
	b.server.Twist(lookuptest.Held(release))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for n, row := range codes {
		z := zones[row.list]
		_, key := keyOf(z, n)
		q := &question{zone: z, asks: z.Ask, key: key}
		waited, stop := context.WithTimeout(ctx, time.Hour)
		ask(waited, []*question{q}, b.resolver.Lookup)
		stop()
		if q.err == nil {
			t.Errorf("%s: an answer before it has come", row.list)
		}
	}
	close(release)
	expectCodes(t, zones, b.resolver)
}
