package index

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// opened writes what b holds to a file and opens it.
func opened(t testing.TB, b *Builder) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "i.idx")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(file, Source{Size: 12, Changed: 34, First: 56, Last: 78}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWhatIsAddedIsFound(t *testing.T) {
	const records = 1000
	r := rand.New(rand.NewPCG(1, 2))
	letters := func() string {
		b := make([]byte, 1+r.IntN(12))
		for i := range b {
			b[i] = "abcdefgh"[r.IntN(8)]
		}
		return string(b)
	}
	b := NewBuilder(10, 2)
	var texts []string
	for i := range records {
		b.Next(int64(100 * i))
		b.Name(1, []string{"", "all", "some"}[i%3])
		b.Name(1, "all")
		b.Name(2, "other kind")
		texts = append(texts, letters()+" "+letters())
		b.Text(1, texts[i])
	}
	f := opened(t, b)
	if f.Len() != records || f.Source != (Source{Size: 12, Changed: 34, First: 56, Last: 78}) || f.Verify() != nil {
		t.Errorf("%d records of %+v, %v", f.Len(), f.Source, f.Verify())
	}
	if starts, err := f.Starts(); err != nil || len(starts) != records || starts[7] != 700 {
		t.Errorf("%d starts, %v", len(starts), err)
	}
	for name, want := range map[string]int{"all": records, "some": 333, "": 334, "other kind": 0, "none": 0} {
		if s, err := f.Named(1, func(v string) bool { return v == name }); err != nil || s.Len() != want {
			t.Errorf("%q: %d, want %d, %v", name, s.Len(), want, err)
		}
	}
	if s, err := f.Named(1, func(v string) bool { return v != "all" }); err != nil || s.Len() != 667 || slices.Collect(s.Forwards())[1] != 2 {
		t.Errorf("two names: %d, %v", s.Len(), err)
	}
	extra := 0
	for range 2000 {
		part := texts[r.IntN(records)]
		part = part[r.IntN(len(part)):]
		s, err := f.WithText(1, part)
		if err != nil {
			t.Fatal(err)
		}
		has := map[int]bool{}
		for i := range s.Forwards() {
			has[i] = true
		}
		for i, text := range texts {
			if strings.Contains(text, part) && !has[i] {
				t.Fatalf("%q in %q is not found", part, text)
			}
			if !strings.Contains(text, part) && has[i] && len(part) > 1 {
				extra++
			}
		}
	}
	if extra > 2000*records/10 {
		t.Errorf("%d found that are nothing", extra)
	}
	if s, err := f.WithText(0, "abc"); err != nil || s.Len() != 0 {
		t.Errorf("in the other field: %d, %v", s.Len(), err)
	}
	if _, err := f.WithText(2, "abc"); err == nil {
		t.Error("there is no third field")
	}
}

func TestSets(t *testing.T) {
	b := NewBuilder(0, 0)
	for i := range 130 {
		b.Next(int64(i))
		if i%64 == 1 {
			b.Name(0, "x")
		}
	}
	f := opened(t, b)
	s, err := f.Named(0, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(s.Forwards()); !slices.Equal(got, []int{1, 65, 129}) {
		t.Errorf("forwards %v", got)
	}
	if got := slices.Collect(s.Backwards()); !slices.Equal(got, []int{129, 65, 1}) {
		t.Errorf("backwards %v", got)
	}
	all := f.All()
	if all.Len() != 130 {
		t.Errorf("all are %d", all.Len())
	}
	if all.Without(s); all.Len() != 127 {
		t.Errorf("without: %d", all.Len())
	}
	if all.Or(s); all.Len() != 130 {
		t.Errorf("or: %d", all.Len())
	}
	if all.And(s); all.Len() != 3 {
		t.Errorf("and: %d", all.Len())
	}
	for range all.Forwards() {
		break
	}
	for range all.Backwards() {
		break
	}
}

func TestAnEmptyIndex(t *testing.T) {
	f := opened(t, NewBuilder(0, 3))
	if s, err := f.WithText(1, "abc"); err != nil || s.Len() != 0 || f.All().Len() != 0 {
		t.Errorf("%d, %v", s.Len(), err)
	}
}

func TestAFileThatIsTooLong(t *testing.T) {
	b := NewBuilder(0, 0)
	b.Next(5 << 30)
	if err := b.Write(&bytes.Buffer{}, Source{}); err == nil {
		t.Error("no error")
	}
}

// Whatever a file holds, it is an index or none; its header is made to look right.
func FuzzOpen(f *testing.F) {
	var good bytes.Buffer
	b := NewBuilder(0, 1)
	for i := range 100 {
		b.Next(int64(i))
		b.Name(uint8(i%2), "name")
		b.Text(0, "text")
	}
	if err := b.Write(&good, Source{}); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:headerLen])
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) >= headerLen {
			binary.LittleEndian.PutUint32(text[headerLen-4:], crc32.ChecksumIEEE(text[:headerLen-4]))
		}
		path := filepath.Join(t.TempDir(), "i.idx")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Open(path)
		if err != nil {
			return
		}
		defer x.Close()
		_ = x.Verify()
		for _, find := range []func() (Set, error){
			func() (Set, error) { return x.Named(0, func(string) bool { return true }) },
			func() (Set, error) { return x.WithText(0, "text") },
		} {
			if s, err := find(); err == nil && s.Len() > x.Len() {
				t.Errorf("%d of %d", s.Len(), x.Len())
			}
		}
		_, _ = x.Starts()
	})
}
