package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floor says what the packages under a folder may import of ours. The first entry that fits a package holds.
type floor struct {
	folder string   // a package, or with "/..." it and all below
	may    []string // likewise
	why    string
}

var floors = []floor{
	{"rules/strict", nil, "a tool below everything"},
	{"rules", []string{"rules/strict"}, "rules knows nothing of mail"},
	{"filters/mime/page", nil, "a tool below everything"},
	{"filters/mime/file", nil, "a tool below everything"},
	{"filters/mime", []string{"filters/mime/page", "filters/mime/file"}, "a tool below everything"},
	{"filters/lookup/...", nil, "a tool below everything"},
	{"filters/store", nil, "a tool below everything"},
	{"filters/store/...", []string{"filters/store"}, "kinds of stores, and what they have in common"},
	{"filters", []string{"filters/mime"}, "what filters see, not what they do"},
	{"filters/filtertest", []string{"filters", "filters/mime", "filters/lookup", "rules"}, "the harness of filters"},
	{"filters/...", []string{"filters", "filters/mime", "filters/lookup", "filters/store", "rules"}, "a filter knows no sister and no score"},
	{"scoring", []string{"rules", "filters"}, "a verdict is a pure function of rules and facts"},
	{"scoring/verdictlog/index", nil, "a tool below everything"},
	{"scoring/verdictlog/bodies", nil, "a tool below everything"},
	{"scoring/verdictlog", []string{"rules", "rules/strict", "filters", "scoring", "scoring/verdictlog/index", "scoring/verdictlog/bodies"}, "records what was decided"},
	{"scoring/replay", []string{"rules", "filters", "scoring", "scoring/verdictlog", "scoring/verdictlog/bodies"}, "judges records again"},
	{"docs/rules", nil, "pages to read"},
	{"proxy/backend/...", []string{"proxy/backend"}, "an SMTP client needs nothing else"},
	{"proxy/console", []string{"rules", "scoring", "scoring/verdictlog"}, "it reads records and decides nothing"},
	{"proxy/...", []string{"rules", "rules/strict", "filters", "scoring", "scoring/verdictlog", "proxy/backend"}, "the proxy knows no concrete filter"},
	{"cmd/weir/demo", []string{"rules", "filters/auth", "filters/lookup", "scoring", "scoring/verdictlog", "proxy/backend/sink"}, "the demo's letters, and what became of them: it runs nothing"},
	{"cmd/weir/config", []string{"rules", "rules/strict", "filters/lookup", "filters/store/redisstore", "scoring/verdictlog", "proxy", "proxy/backend"}, "weir.yaml and what is made of it: it runs nothing"},
	{"cmd/weir/dns", []string{"rules", "filters", "filters/dnsbl", "filters/lookup", "scoring", "scoring/replay", "scoring/verdictlog"}, "what is known of the DNS lists: it prints nothing"},
	{"cmd/weir/doctor", []string{"cmd/weir/config", "cmd/weir/dns", "rules", "filters/dnsbl", "filters/lookup", "filters/store/redisstore", "scoring/verdictlog", "proxy/backend"}, "what weir stands on: it prints nothing"},
	{"cmd/weir/systemd", nil, "a tool below everything"},
	{"cmd/weir", []string{"..."}, "the only place that knows everybody"},
}

// owners names the packages that may import an outside library: one each, so that it can be exchanged.
var owners = map[string][]string{
	"go.yaml.in/yaml/v4":                  {"rules/strict"},
	"github.com/expr-lang/expr":           {"rules"},
	"github.com/jhillyerd/enmime/v2":      {"filters/mime"},
	"golang.org/x/net/html":               {"filters/mime/page"},
	"golang.org/x/net/idna":               {"filters/mime/page", "filters/auth", "proxy", "rules"},
	"golang.org/x/net/publicsuffix":       {"filters"},
	"golang.org/x/text":                   {"filters/mime", "filters/bulk", "filters/pattern", "filters/structure"},
	"github.com/miekg/dns":                {"filters/lookup"},
	"github.com/hashicorp/golang-lru/v2":  {"filters/lookup", "filters/store", "filters/bulk", "filters/dnsbl"},
	"github.com/zeebo/xxh3":               {"filters/bulk", "filters/store"},
	"github.com/redis/rueidis":            {"filters/store/redisstore"},
	"github.com/wasilibs/go-re2":          {"filters/pattern"},
	"blitiri.com.ar/go/spf":               {"filters/auth"},
	"github.com/emersion/go-msgauth":      {"filters/auth"},
	"github.com/emersion/go-smtp":         {"proxy"},
	"github.com/emersion/go-sasl":         {"proxy"},
	"github.com/klauspost/compress":       {"scoring/verdictlog/bodies"},
	"github.com/oklog/ulid/v2":            {"scoring/verdictlog"},
	"github.com/spf13/cobra":              {"cmd/weir"},
	"github.com/mattn/go-isatty":          {"cmd/weir"},
	"golang.org/x/sys":                    {"proxy"},
	"golang.org/x/sync":                   {"filters/lookup"},
	"golang.org/x/term":                   {"cmd/weir"},
	"golang.org/x/time":                   {"proxy"},
	"github.com/prometheus/client_golang": {"proxy/console"},
	"github.com/coreos/go-systemd/v22":    {"cmd/weir/systemd"},
}

// scoringMayNot keeps the verdict free of clock, network and state.
var scoringMayNot = []string{"time", "net", "os", "sync", "math/rand", "math/rand/v2"}

func TestFloors(t *testing.T) {
	for folder, imports := range imports(t) {
		for _, path := range imports {
			if why := forbidden(folder, path); why != "" {
				t.Errorf("%s imports %s: %s", folder, path, why)
			}
		}
	}
}

// A planted import must be found, or TestFloors proves nothing.
func TestFloorsFindViolations(t *testing.T) {
	for _, c := range [][2]string{
		{"rules", "weir/filters"}, {"filters/dnsbl", "weir/filters/bulk"}, {"filters/auth", "weir/scoring"},
		{"scoring", "time"}, {"proxy", "weir/filters/dnsbl"}, {"filters/dnsbl", "github.com/miekg/dns"},
		{"proxy/backend", "weir/proxy"}, {"cmd/weir", "github.com/emersion/go-smtp"}, {"proxy/console", "weir/proxy"}, {"proxy/console", "weir/filters"}, {"rules", "example.org/unknown"},
		{"cmd/weir/config", "weir/cmd/weir/doctor"}, {"cmd/weir/dns", "weir/cmd/weir/config"}, {"cmd/weir", "github.com/coreos/go-systemd/v22/daemon"},
	} {
		if forbidden(c[0], c[1]) == "" {
			t.Errorf("%s importing %s was not found", c[0], c[1])
		}
	}
}

// forbidden says why the package in folder may not import path, or "" if it may.
func forbidden(folder, path string) string {
	if ours, ok := strings.CutPrefix(path, "weir/"); ok {
		for _, f := range floors {
			if fits(f.folder, folder) {
				if slices.ContainsFunc(f.may, func(m string) bool { return fits(m, ours) }) {
					return ""
				}
				return f.why
			}
		}
		return "its folder has no floor"
	}
	if folder == "scoring" && slices.Contains(scoringMayNot, path) {
		return "scoring has no clock, no network and no state"
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for library, who := range owners {
		if path == library || strings.HasPrefix(path, library+"/") {
			if slices.Contains(who, folder) {
				return ""
			}
			return "only " + strings.Join(who, " and ") + " may"
		}
	}
	return "an outside library without an owner"
}

func fits(pattern, folder string) bool {
	if pattern == "..." {
		return true
	}
	base, below := strings.CutSuffix(pattern, "/...")
	return folder == base || below && strings.HasPrefix(folder, base+"/")
}

// imports maps each folder of the module to what its files that are not tests import.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			found[folder] = append(found[folder], path)
		}
	}
	return found
}

// goFiles lists the Go files of the module, relative to its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(relative))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("listing Go files: %v", err)
	}
	return files
}
