package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// lived is a memory with something of everything in it.
func lived(t testing.TB, maxBytes int64) *Memory {
	t.Helper()
	ctx, m, r := context.Background(), NewMemory(maxBytes), rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		at := noon.Add(time.Duration(i) * time.Second)
		add(t, m, at, Delta{Key: fmt.Sprint("k", i%40), N: int64(i), Member: fmt.Sprint(i), Life: time.Hour})
		add(t, m, at, Delta{Key: "wide", Member: fmt.Sprint(i), Life: 24 * time.Hour})
		err := errors.Join(
			m.Mark(ctx, at, time.Hour, 1+uint32(i%7), r.Uint64(), uint64(i%100)<<20),
			m.Place(ctx, at, time.Hour, 1+uint32(i), Point{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}))
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func saved(t testing.TB, m *Memory) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSnapshotHoldsAll(t *testing.T) {
	ctx, m := context.Background(), lived(t, 1<<20)
	data := saved(t, m)
	for _, maxBytes := range []int64{0, 1 << 20} {
		back, err := Load(bytes.NewReader(data), maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		if back.Secret() != m.Secret() || !reflect.DeepEqual(back.lists, m.lists) {
			t.Error("the secret or the marks differ")
		}
		keys := m.Keys("")
		if !slices.Equal(back.Keys(""), keys) || len(keys) != 41 {
			t.Errorf("counters %v, want %v", back.Keys(""), keys)
		}
		at := noon.Add(50 * time.Minute)
		for _, over := range []time.Duration{0, time.Minute, 30 * time.Minute} {
			want, err := m.Within(ctx, at, over, keys...)
			got, err2 := back.Within(ctx, at, over, keys...)
			if err != nil || err2 != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("within %v: %v %v, want %v %v", over, got, err2, want, err)
			}
		}
		_, used := m.Usage()
		if _, again := back.Usage(); again > used {
			t.Errorf("%d bytes, were %d", again, used)
		}
		for _, s := range m.points.spots {
			if got := back.points.nearest(s.point, Seconds(at)); s.until > Seconds(at) && (got.Owner != s.owner || got.Distance != 0) {
				t.Fatalf("near %v: %v, want %d", s.point, got, s.owner)
			}
		}
		oldest := back.points.spots[0]
		if back.points.add(spot{owner: 1}); len(back.points.spots) == back.points.max && slices.Contains(back.points.spots, oldest) {
			t.Error("the oldest point is not the first to go")
		}
	}
}

func TestSnapshotIsRefused(t *testing.T) {
	data := saved(t, lived(t, 1<<18))
	signed := func(body []byte) []byte {
		sum := sha256.Sum256(body)
		return append(slices.Clone(body), sum[:]...)
	}
	changed := func(at int, b byte) []byte {
		body := slices.Clone(data[:len(data)-sha256.Size])
		body[at] = b
		return signed(body)
	}
	for name, c := range map[string]struct {
		data []byte
		max  int64
		want string
	}{
		"empty":         {nil, 0, "cut off"},
		"cut":           {data[:len(data)-1], 0, "cut off"},
		"a bit":         {append(slices.Clone(data[:100]), append([]byte{data[100] ^ 1}, data[101:]...)...), 0, "changed"},
		"not ours":      {signed([]byte("something else altogether, and long enough")), 0, "no snapshot"},
		"version":       {changed(8, 9), 0, "version 9"},
		"another size":  {data, 1 << 19, "262144 bytes, not 524288"},
		"no end":        {signed(data[:len(data)-sha256.Size-1]), 0, "EOF"},
		"other records": {changed(33, 77), 0, "kind 77"},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := Load(bytes.NewReader(c.data), c.max); m != nil || !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A memory in use is written: nothing may race, and what comes out must be whole.
func TestSnapshotWhileInUse(t *testing.T) {
	m := lived(t, 1<<20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			m.Add(context.Background(), noon, Delta{Key: fmt.Sprint("busy", i), N: 1, Member: "x", Life: time.Hour})
			m.Mark(context.Background(), noon, time.Hour, 9, uint64(i)<<24)
		}
	}()
	for range 5 {
		if _, err := Load(bytes.NewReader(saved(t, m)), 0); err != nil {
			t.Fatal(err)
		}
	}
	<-done
}

func TestForget(t *testing.T) {
	ctx, m := context.Background(), NewMemory(1<<16)
	add(t, m, noon, Delta{Key: "a", N: 1, Life: time.Hour})
	add(t, m, noon, Delta{Key: "b", N: 1, Life: time.Hour})
	for owner := range uint32(2) {
		m.Mark(ctx, noon, time.Hour, owner+1, 5<<32)
		m.Place(ctx, noon, time.Hour, owner+1, Point{uint64(owner)})
	}
	if err := m.Forget(ctx, noon, time.Hour, 2, "b"); err != nil {
		t.Fatal(err)
	}
	lists, _ := m.Marked(ctx, noon, nil, 5<<32)
	near, _ := m.Nearest(ctx, noon, Point{1})
	if keys := m.Keys(""); !slices.Equal(keys, []string{"a"}) || lists[0].Len() != 1 || lists[0].Of(1).N != 1 || near.Owner != 1 {
		t.Errorf("%v %v %v", keys, lists, near)
	}
	if counters, used := m.Usage(); counters != 1 || used != sizeOf("a", m.must(t, "a"))+placeBytes+2*spotBytes {
		t.Errorf("%d counters, %d bytes", counters, used)
	}
}

func (m *Memory) must(t *testing.T, key string) *counter {
	c, found := m.counters.Peek(key)
	if !found {
		t.Fatalf("no counter %s", key)
	}
	return c
}

func TestHandAndCopy(t *testing.T) {
	ctx, m := context.Background(), NewMemory(1<<16)
	const a, b, c = 7 << 32, 8 << 32, 9 << 32
	m.Mark(ctx, noon, time.Hour, 1, a, b)
	m.Mark(ctx, noon, time.Hour, 1, a)
	m.Hand(ctx, noon, 1, 2, a, c)
	lists, _ := m.Marked(ctx, noon, nil, a, b, c)
	if lists[0].Of(2).N != 2 || lists[0].Of(1).N != 0 || lists[1].Of(1).N != 1 || lists[2].Len() != 0 {
		t.Errorf("%v", lists)
	}
	add(t, m, noon, Delta{Key: "a", N: 3, Member: "x", Life: time.Hour})
	for _, from := range []string{"a", "b", "none"} {
		if err := m.Copy(ctx, from, "b"); err != nil {
			t.Fatal(err)
		}
	}
	add(t, m, noon, Delta{Key: "b", N: 1, Member: "y", Life: time.Hour})
	if a, b := within(t, m, noon, 0, "a"), within(t, m, noon, 0, "b"); a != (Counter{3, 1, noon, noon}) || b != (Counter{4, 2, noon, noon}) {
		t.Errorf("%v %v", a, b)
	}
}

// FuzzLoad reads records behind a sound checksum: whatever they say, a memory or an error comes of it.
func FuzzLoad(f *testing.F) {
	m := NewMemory(1 << 12)
	add(f, m, noon, Delta{Key: "k", N: 1, Member: "m", Life: time.Hour})
	m.Mark(context.Background(), noon, time.Hour, 1, 1)
	m.Place(context.Background(), noon, time.Hour, 1, Point{1})
	data := saved(f, m)
	f.Add(data[:len(data)-sha256.Size])
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(bufio.NewReaderSize(bytes.NewReader(data), 1<<20), 1<<12)
		if err != nil {
			if !errors.Is(err, ErrBroken) {
				t.Fatal(err)
			}
			return
		}
		add(t, m, noon, Delta{Key: "k", N: 1, Member: "new", Life: time.Hour})
		m.Mark(context.Background(), noon, time.Hour, 1, 1, 2)
		m.Nearest(context.Background(), noon, Point{})
		saved(t, m)
	})
}
