package verdictlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"testing"
)

func TestSoughtIsKeptByDigestAndVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	kept := Sought{Digest: "sha256:ab", Version: "1.0", Symbols: map[string]string{"A": "x", "SPF_FAIL": ""}}
	if err := KeepSought(dir, kept); err != nil {
		t.Fatal(err)
	}
	if got, err := FindSought(dir, "sha256:ab", "1.0"); err != nil || !reflect.DeepEqual(got, kept) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, other := range [][2]string{{"sha256:ab", "1.1"}, {"sha256:ac", "1.0"}} {
		if _, err := FindSought(dir, other[0], other[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", other, err)
		}
	}
}

func TestSoughtIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxSought + 5 {
		if err := KeepSought(dir, Sought{Digest: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != maxSought {
		t.Errorf("%d files, %v", len(names), err)
	}
	if _, err := FindSought(dir, fmt.Sprint(maxSought+4), ""); err != nil {
		t.Errorf("the newest is gone: %v", err)
	}
}
