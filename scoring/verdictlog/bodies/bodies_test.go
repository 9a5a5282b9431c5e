package bodies

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirToKill); dir != "" {
		keepUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

const plenty = 1 << 30

func open(t *testing.T, o Options) *Keeper {
	t.Helper()
	if o.MaxSize == 0 {
		o.MaxSize = plenty
	}
	if o.Keep == 0 {
		o.Keep = time.Hour
	}
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func closed(t *testing.T, k *Keeper) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func look(t *testing.T, dir string) *Shelf {
	t.Helper()
	s, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func id(n int) string { return fmt.Sprintf("01JD3K7Q2W8N5T%012d", n) }

// message makes one of many messages that differ, some of which cannot be compressed.
func message(n int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	b := fmt.Appendf(nil, "Subject: Letter %d\r\n\r\n", n)
	if n%3 == 0 {
		for range random.IntN(4000) {
			b = append(b, byte(random.Uint32()))
		}
		return b
	}
	return append(b, bytes.Repeat(fmt.Appendf(nil, "Dear %d, a line of text.\r\n", n), random.IntN(300))...)
}

func has(t *testing.T, s *Shelf, n int) {
	t.Helper()
	if raw, err := s.Get(id(n)); err != nil || !bytes.Equal(raw, message(n)) {
		t.Errorf("message %d: %d bytes, %v", n, len(raw), err)
	}
}

func hasNot(t *testing.T, s *Shelf, n int) {
	t.Helper()
	if raw, err := s.Get(id(n)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("message %d: %d bytes, %v", n, len(raw), err)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWhatIsPutIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "bodies")
	for generation := range 2 {
		k := open(t, Options{Dir: dir})
		for n := range 500 {
			raw := message(n + 500*generation)
			k.Put(id(n+500*generation), raw)
			clear(raw) // it is ours again
		}
		closed(t, k)
		if k.Lost() != 0 || k.Waiting() != 0 || !k.LastLost().IsZero() {
			t.Errorf("%d lost, %d bytes wait", k.Lost(), k.Waiting())
		}
	}
	s := look(t, dir)
	for n := range 1000 {
		has(t, s, n)
	}
	if s.Len() != 1000 || s.Has(id(1000)) {
		t.Errorf("%d messages", s.Len())
	}
	hasNot(t, s, 1000)
	names := files(t, dir)
	if len(names) != 2 {
		t.Errorf("%v", names)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestEmptyFoldersHoldNothing(t *testing.T) {
	for _, s := range []*Shelf{nil, look(t, filepath.Join(t.TempDir(), "none")), look(t, t.TempDir())} {
		if s.Len() != 0 || s.Has(id(1)) {
			t.Errorf("%d messages", s.Len())
		}
		hasNot(t, s, 1)
	}
	dir := t.TempDir()
	closed(t, open(t, Options{Dir: dir}))
	if names := files(t, dir); len(names) != 0 {
		t.Errorf("files without messages: %v", names)
	}
}

func TestSizeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const most = 2 << 20
		k := open(t, Options{Dir: dir, MaxSize: most})
		const n = 3000
		for i := range n {
			k.Put(id(i), message(3*i))
			if i%100 == 0 {
				synctest.Wait()
				var total int64
				for _, name := range files(t, dir) {
					if info, err := os.Stat(name); err == nil {
						total += info.Size()
					}
				}
				if total > most {
					t.Fatalf("%d bytes, more than %d", total, most)
				}
			}
		}
		closed(t, k)
		s := look(t, dir)
		if s.Has(id(0)) || !s.Has(id(n-1)) || s.Len() < 500 {
			t.Errorf("%d messages are there, the first %v, the last %v", s.Len(), s.Has(id(0)), s.Has(id(n-1)))
		}
		if k.Size() == 0 || k.Size() > most {
			t.Errorf("size %d", k.Size())
		}
	})
}

func TestAgeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		k := open(t, Options{Dir: dir, Keep: 8 * time.Hour})
		began := time.Now()
		for n := range 100 {
			k.Put(id(n), message(n))
			time.Sleep(10 * time.Minute)
		}
		s := look(t, dir)
		for n := range 100 {
			age := time.Since(began.Add(time.Duration(n) * 10 * time.Minute))
			switch got := s.Has(id(n)); {
			case got && age > 9*time.Hour+time.Minute:
				t.Errorf("message %d is %v old", n, age)
			case !got && age < 8*time.Hour:
				t.Errorf("message %d is gone after %v", n, age)
			}
		}
		time.Sleep(10 * time.Hour) // without mail
		if names := files(t, dir); len(names) != 0 {
			t.Errorf("%v", names)
		}
		closed(t, k)
	})
}

func TestTooMuchIsLost(t *testing.T) {
	k := &Keeper{queue: make(chan body, 10), closing: make(chan struct{}), folder: folder{maxSize: plenty}} // nobody writes
	large := make([]byte, maxWaiting/2)
	for range 3 {
		k.Put(id(1), large)
	}
	if k.Lost() != 1 || k.Waiting() != maxWaiting || k.LastLost().IsZero() {
		t.Errorf("%d lost, %d bytes wait", k.Lost(), k.Waiting())
	}
	k = &Keeper{queue: make(chan body, 10), closing: make(chan struct{}), folder: folder{maxSize: 8000}}
	for range 20 {
		k.Put(id(1), []byte("small"))
	}
	k.Put(id(1), make([]byte, 1001))
	k.Put(strings.Repeat("x", idLen+1), nil)
	if k.Lost() != 12 || k.Waiting() != 50 {
		t.Errorf("%d lost, %d bytes wait", k.Lost(), k.Waiting())
	}
}

// Where nothing can be written, messages are lost and counted; afterwards all is well.
func TestTheDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "bodies")
		var said []string
		k := open(t, Options{Dir: dir, Warn: func(err error) { said = append(said, err.Error()) }})
		k.Put(id(0), message(0))
		synctest.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for n := range 100 {
			k.Put(id(n), message(n))
			time.Sleep(time.Second)
		}
		if k.Stuck() == nil || k.Lost() != 100 || time.Since(k.LastLost()) > time.Minute {
			t.Errorf("%d lost, stuck: %v", k.Lost(), k.Stuck())
		}
		if len(said) < 2 || len(said) > 3 || !strings.Contains(strings.Join(said, "\n"), "were not kept") {
			t.Errorf("said: %q", said)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryAfter)
		k.Put(id(200), message(200))
		closed(t, k)
		has(t, look(t, dir), 200)
	})
}

// Wherever a crash cuts the last message off, those before it are there and nothing else is.
func TestACutOffMessageIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	f := folder{dir: dir, keep: time.Hour, maxSize: plenty}
	const whole = 3
	var end int64
	for n := range whole + 1 {
		if _, err := f.write(id(n), message(3*n + 1)[:min(200, len(message(3*n+1)))], time.Now()); err != nil {
			t.Fatal(err)
		}
		if n == whole-1 {
			end = f.segment.size
		}
	}
	name, size := filepath.Join(dir, f.segment.name()), f.segment.size
	for cut := size - 1; cut >= end; cut-- {
		if err := os.Truncate(name, cut); err != nil {
			t.Fatal(err)
		}
		if s := look(t, dir); s.Len() != whole || !s.Has(id(whole-1)) {
			t.Fatalf("cut off at %d of %d: %d messages", cut, size, s.Len())
		}
	}
	f.file.Close()
	k := open(t, Options{Dir: dir})
	k.Put(id(9), message(9))
	closed(t, k)
	s := look(t, dir)
	has(t, s, 9)
	if s.Len() != whole+1 {
		t.Errorf("%d messages", s.Len())
	}
}

// dirToKill names the folder to the process that is killed.
const dirToKill = "WEIR_BODIES_TO_KILL"

func keepUntilKilled(dir string) {
	k, err := Open(Options{Dir: dir, Keep: time.Hour, MaxSize: 4 << 20})
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		k.Put(id(n), message(n))
		for k.Waiting() > 1<<20 {
			runtime.Gosched()
		}
		fmt.Println(n)
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), dirToKill+"="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 100 + rand.IntN(2000) {
			lines.Scan()
		}
		c.Process.Kill()
		_ = c.Wait() // it was killed
		s := look(t, dir)
		for _, p := range s.places {
			var n int
			fmt.Sscanf(p.id[14:], "%d", &n)
			if raw, err := s.read(p); err != nil || !bytes.Equal(raw, message(n)) {
				t.Errorf("%s: %v", p.id, err)
			}
		}
	}
	k := open(t, Options{Dir: dir, MaxSize: 4 << 20})
	k.Put(id(1_000_000), message(1))
	closed(t, k)
	if s := look(t, dir); !s.Has(id(1_000_000)) {
		t.Error("nothing can be kept afterwards")
	}
}

func TestForget(t *testing.T) {
	synctest.Test(t, testForget)
}

func testForget(t *testing.T) {
	dir := t.TempDir()
	secret := []byte("this was for ann alone")
	k := open(t, Options{Dir: dir, Keep: time.Hour})
	for n := range 20 {
		k.Put(id(n), append(secret, message(3*n)...))
	}
	closed(t, k)
	k = open(t, Options{Dir: dir, Keep: time.Hour})
	for n := 20; n < 40; n++ {
		k.Put(id(n), append(secret, message(3*n)...))
	}
	synctest.Wait()
	if n := look(t, dir).Len(); n != 40 {
		t.Errorf("%d messages", n)
	}
	even := func(id string, _ func() []byte) bool { return id[len(id)-1]%2 == 0 }
	for _, want := range []int{20, 0} {
		if n, err := look(t, dir).Forget(t.Context(), even); err != nil || n != want {
			t.Errorf("%d erased, want %d: %v", n, want, err)
		}
	}
	k.Put(id(41), message(41))
	closed(t, k)
	s := look(t, dir)
	if s.Len() != 21 {
		t.Errorf("%d messages are left", s.Len())
	}
	has(t, s, 41)
	for n := range 40 {
		if _, err := s.Get(id(n)); (err == nil) != (n%2 == 1) {
			t.Errorf("message %d: %v", n, err)
		}
	}
	var marks int
	for _, name := range files(t, dir) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		marks += bytes.Count(text, secret)
	}
	if marks != 20 { // what cannot be compressed lies there in clear
		t.Errorf("it can be read %d times, want 20", marks)
	}
	n, err := s.Forget(t.Context(), func(_ string, raw func() []byte) bool { return bytes.Contains(raw(), secret) })
	if err != nil || n != 20 {
		t.Errorf("%d erased, %v", n, err)
	}
}

// The contents say the same as the heads.
func TestContentsAreTheHeads(t *testing.T) {
	dir := t.TempDir()
	k := open(t, Options{Dir: dir})
	for n := range 50 {
		k.Put(id(n), message(n))
	}
	closed(t, k)
	text, err := os.ReadFile(files(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	with := contents(bytes.NewReader(text), int64(len(text)), nil)
	without := contents(bytes.NewReader(text), int64(len(text)-1), nil)
	if len(with) != 50 || !slices.Equal(with, without) {
		t.Errorf("%d by the contents, %d by the heads", len(with), len(without))
	}
}

// Whatever the bytes are, reading them ends, and what was not written is not read.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	w := folder{dir: dir, keep: time.Hour, maxSize: plenty}
	for n := range 3 {
		if _, err := w.write(id(n), message(n)[:min(100, len(message(n)))], time.Now()); err != nil {
			f.Fatal(err)
		}
	}
	name := filepath.Join(dir, w.segment.name())
	unsealed, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.seal(); err != nil {
		f.Fatal(err)
	}
	sealed, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unsealed)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)/2])
	f.Add([]byte{})
	s, err := Look(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, text []byte) {
		file := bytes.NewReader(text)
		for _, p := range contents(file, int64(len(text)), nil) {
			raw, err := read(file, p, s.decoder)
			if err != nil {
				continue
			}
			if want, err := s.Get(p.id); err == nil && !bytes.Equal(raw, want) && bytes.Contains(unsealed, text[p.at:p.at+headLen]) {
				t.Errorf("%s is another message", p.id)
			}
		}
	})
}

func BenchmarkKeep(b *testing.B) {
	w := folder{dir: b.TempDir(), keep: time.Hour, maxSize: plenty}
	raw := bytes.Repeat(message(1), 1+10_000/len(message(1)))[:10_000]
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := w.write(id(n), raw, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	_ = w.seal()
}
