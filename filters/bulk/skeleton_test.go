package bulk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/filters"
	"weir/filters/store"
)

func bonesOf(html string) []uint64 {
	var x builder
	m := filters.ParseMessage([]byte("Content-Type: text/html; charset=utf-8\r\n\r\n" + html))
	return x.skeleton(filters.Mail{Message: m}, store.NewHasher([16]byte{7})).rows
}

// Each case is two pages and what their skeletons have in common.
func TestSkeletons(t *testing.T) {
	files, err := filepath.Glob("testdata/skeleton/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		pages, want, _ := strings.Cut(strings.TrimPrefix(string(b), "-- first --\n"), "-- want --\n")
		one, two, _ := strings.Cut(pages, "-- second --\n")
		if got := inCommon(bonesOf(one), bonesOf(two)); got != strings.TrimSpace(want) {
			t.Errorf("%s: %s, want %s", filepath.Base(f), got, want)
		}
	}
}

func inCommon(a, b []uint64) string {
	n := 0
	for _, row := range b {
		if slices.Contains(a, row) {
			n++
		}
	}
	switch {
	case len(a) == 0:
		return "first has none"
	case len(b) == 0:
		return "second has none"
	case n == len(a) && n == len(b):
		return "same"
	case n == 0:
		return "none in common"
	case 2*n > len(a) && 2*n > len(b):
		return "most"
	}
	return "some"
}

func FuzzSkeleton(f *testing.F) {
	for _, s := range []string{
		strings.Repeat("<td style='padding:1px;color:#fff'><a style=width:2px class='a b1'>", 12) + "x", "<p style=';;:;url(;-x:y;mso-'>" + strings.Repeat("<hr>", 30),
		"<table width=1 width=2 class=>" + strings.Repeat("<tr height=\"'3\"><th align=\xff bgcolor=# >", 20), "<div id=appendonsend><blockquote type=CITE>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		rows := bonesOf(src)
		if len(rows) > mostRows || len(rows) > 0 && len(rows) < leastRows || !slices.IsSorted(rows) || len(slices.Compact(slices.Clone(rows))) < len(rows) {
			t.Errorf("%d rows: %x", len(rows), rows)
		}
		if again := bonesOf("<!-- x --><i style='display:none'>hidden</i>" + src); !slices.Equal(rows, again) && len(src) < 4096 {
			t.Errorf("%x, and %x below what cannot be seen", rows, again)
		}
	})
}

// BenchmarkSkeleton reads the skeleton of a page of 20 KB.
func BenchmarkSkeleton(b *testing.B) {
	file, err := os.ReadFile("testdata/skeleton/01-other-words.txt")
	if err != nil {
		b.Fatal(err)
	}
	page, _, _ := strings.Cut(strings.TrimPrefix(string(file), "-- first --\n"), "-- second --\n")
	m := filters.ParseMessage([]byte("Content-Type: text/html\r\n\r\n" + strings.Repeat(page, 20<<10/len(page))))
	m.Elements()
	var x builder
	b.ReportAllocs()
	for b.Loop() {
		x.skeleton(filters.Mail{Message: m}, store.NewHasher([16]byte{7}))
	}
}
