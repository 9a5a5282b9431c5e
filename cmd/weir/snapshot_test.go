package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const bulkRules = "version: 1\nthresholds: { tag: 6, reject: 15 }\nbulk: { windows: [{ id: BULK_THREE, over: 1h, alike: 3, score: 7 }] }\n"

// What was counted outlives the process; a snapshot belongs to one process; a broken one is set aside and said.
func TestSnapshot(t *testing.T) {
	behind := startSink(t).Addr()
	path := filepath.Join(t.TempDir(), "store.snapshot")
	setting := fmt.Sprintf("store: { memory: { max: 1MiB, snapshot: %q } }", path)
	letter := plainMail + strings.Repeat("The bridge over the harbour is closed for repairs from Monday until the end of the month. ", 3) + "\r\n"
	runs := func(n int, meanwhile func(w *served)) *served {
		w := serve(t, behind, "127.0.0.1:9", bulkRules, setting)
		c := client(t, w.addr, "")
		for range n {
			if err := sendMail(c, "ann@client.example.net", "bob@example.org", letter); err != nil {
				t.Fatal(err)
			}
		}
		c.Quit()
		meanwhile(w)
		w.process.Signal(syscall.SIGTERM)
		if err := w.wait(); err != nil {
			t.Fatalf("%v\n%s", err, w.log)
		}
		return w
	}
	alike := func(w *served, n int) int { return w.records(t, n)[n-1].Bulk.Alike }

	first := runs(2, func(*served) {})
	second := runs(1, func(w *served) {
		if code, _, errs := verb("bulk", "forget", "c00000001", "--snapshot", path); code != exitTemporary {
			t.Errorf("forget beside a running weir: exit %d, %s", code, errs)
		}
	})
	if a, b := alike(first, 2), alike(second, 1); a != 2 || b != 3 {
		t.Errorf("alike %d before and %d after, want 2 and 3", a, b)
	}

	inSnapshot(t, path, second)

	if err := os.WriteFile(path, []byte("half a snapshot"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := runs(1, func(*served) {})
	if n := alike(third, 1); n != 1 || !strings.Contains(third.log.String(), "set aside as "+path+".broken") {
		t.Errorf("alike %d\n%s", n, third.log)
	}
}

// inSnapshot looks at, and then forgets, the one campaign of the snapshot that w left at path.
func inSnapshot(t *testing.T, path string, w *served) {
	config, id := filepath.Join(w.dir, "weir.yaml"), w.records(t, 1)[0].Bulk.Campaign
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"list", id + "  3      3       1         1        1", exitOK},
		{"list --json", `{"campaign":"` + id + `","alike":3,"alike_strict":3,"networks":1,`, exitOK},
		{"list --alike 4", "CAMPAIGN", exitOK},
		{"show " + id, "10m     3      3       1         1        1", exitOK},
		{"show " + id, `"lunch"`, exitOK},
		{"show " + id + " --json", `"windows":[{"over":"10m","campaign":"` + id + `","alike":3`, exitOK},
		{"show c00000001", "is not known", exitNoInput},
		{"show 1", "no name of a campaign", exitUsage},
		{"forget " + id, "forgot " + id + ", of 3 messages", exitOK},
		{"forget " + id, "is not known", exitNoInput},
		{"list --snapshot " + config, "broken snapshot", exitData},
		{"list --snapshot " + path + ".none", "no such file", exitNoInput},
	} {
		code, out, errs := verb(append([]string{"bulk", "-c", config}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("bulk %s: exit %d\n%s%s\nwant %d and %q", c.args, code, out, errs, c.code, c.want)
		}
	}
}

// verb runs the program in this process.
func verb(args ...string) (code int, out, errs string) {
	var o, e strings.Builder
	code = run(context.Background(), args, streams{strings.NewReader(""), &o, &e})
	return code, o.String(), e.String()
}
