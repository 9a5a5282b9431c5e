package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/demo"
	"weir/filters/lookup"
)

// The story of a newcomer's edit: he finds in the log that clients of a soft list are only tagged, makes that list heavier,
// adds a pattern of his own that no message was ever looked at for, rehearses both on yesterday's mail, which is kept, lets it judge beside the rules in force, and puts it in force, with the built program
// and the log of the demo.
func TestAnEditIsRehearsedShadowedAndPromoted(t *testing.T) {
	zone, err := lookup.ParseZone(strings.NewReader("8.0.0.127.zen.demo.test. 300 IN A 127.0.0.4\n8.0.0.127.soft.demo.test. 300 IN A 127.0.0.2\n"), "story")
	if err != nil {
		t.Fatal(err)
	}
	dns, err := lookup.Serve("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	kept := filepath.Join(t.TempDir(), "kept")
	if out, err := weirVerb(t, "demo", "--keep", kept); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := serve(t, startSink(t).Addr(), dns.Addr(), demo.Rules, "admin: { addr: "+freePort(t)+" }", "verdicts.dir: "+filepath.Join(kept, "verdicts"))
	conf, rulesFile, edited := filepath.Join(w.dir, "weir.yaml"), filepath.Join(w.dir, "rules.yaml"), filepath.Join(w.dir, "candidate.yaml")
	wants := func(wantCode int, want string, args ...string) {
		t.Helper()
		out, err := weirVerb(t, append(args, "-c", conf)...)
		if code := exitCodeOf(err); code != wantCode || !strings.Contains(out, want) {
			t.Fatalf("weir %s: exit %d, want %d with %q:\n%s", strings.Join(args, " "), code, wantCode, want, out)
		}
	}

	write(t, edited, strings.Replace(demo.Rules, "id: POOR, is: 127.0.0.2, score: 3", "id: POOR, is: 127.0.0.2, score: 12", 1))
	wants(exitOK, "tag -> reject: 30", "replay", "--rules", edited)
	appendTo(t, edited, cameraRule)
	wants(exitOK, "of them by the messages themselves", "replay", "--rules", edited)
	wants(exitOK, "CAMERA counts 20.00", "replay", "--rules", edited, "--fail-on", "undone>0", "--fail-on", "new_reject<31")
	wants(exitUsage, "names no rules on trial", "promote")

	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, string(text)+"\nshadow_rules: candidate.yaml\n")
	wants(exitOK, "reloaded: generation 2", "reload")
	if err := sendMail(client(t, w.addr, "127.0.0.8"), "a@soft.example", "bob@example.org", plainMail); err != nil {
		t.Fatalf("rules on trial must decide nothing: %v", err)
	}
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", plainMail); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record", func() bool {
		out, err := weirVerb(t, "log", "-c", conf, "candidate:differs")
		return err == nil && strings.Contains(out, "a@soft.example") && strings.Contains(out, "candidate: reject 16.40") && strings.Count(out, "\n") == 1
	})

	wants(exitNo, "nothing was changed", "rules", "promote")
	if now, err := os.ReadFile(rulesFile); err != nil || string(now) != demo.Rules {
		t.Fatalf("a promotion that was refused has changed the rules: %v", err)
	}
	wants(exitOK, "reloaded: generation 3", "promote", "--fail-on", "new_reject>60", "--fail-on", "better>0")
	if err := sendMail(client(t, w.addr, "127.0.0.8"), "a@soft.example", "bob@example.org", plainMail); codeOf(err) != 550 {
		t.Errorf("under the rules promoted: %v, want 550", err)
	}
	if err := sendMail(client(t, w.addr, ""), "a@ok.example", "bob@example.org", "Subject: x\r\n\r\nBring your camera.\r\n"); codeOf(err) != 550 {
		t.Errorf("what the new pattern is for: %v, want 550", err)
	}
	if before, err := os.ReadFile(rulesFile + beforeSuffix); err != nil || string(before) != demo.Rules {
		t.Errorf("the rules before are not kept: %v", err)
	}
	wants(exitOK, "verdicts>0: it is", "promote", "--fail-on", "verdicts>0", "--yes")
}

// cameraRule is a pattern that some letters of the demo have and none of its rules looks for.
const cameraRule = `rules:
  - { id: CAMERA, about: "It asks for a camera", body: { regex: '(?i)bring your camera' }, score: 20, tests: [{ hit: "Bring your camera" }, { miss: "no" }] }
`

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(was)+text)
}

// Where the running weir does not reload, whatever keeps it, the old rules are put back.
func TestAPromotionThatIsRefusedIsUndone(t *testing.T) {
	w := serve(t, startSink(t).Addr(), "127.0.0.1:9", usualRules, "admin: { addr: "+freePort(t)+" }")
	conf, rulesFile, edited := filepath.Join(w.dir, "weir.yaml"), filepath.Join(w.dir, "rules.yaml"), filepath.Join(w.dir, "candidate.yaml")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(w.dir, "good.yaml")
	write(t, good, string(text)+"\nshadow_rules: candidate.yaml\n")
	for _, c := range []struct{ candidate, conf, want string }{
		{usualRules + "described: x\n", string(text), "candidate.yaml:3:1: error"},
		{usualRules + "# edited\n", "version: 1\nlistne: x\n", "the old rules were put back"},
	} {
		write(t, edited, c.candidate)
		write(t, conf, c.conf)
		out, err := weirVerb(t, "promote", "-c", good)
		if exitCodeOf(err) != exitConfig || !strings.Contains(out, c.want) {
			t.Errorf("exit %d, want %q:\n%s", exitCodeOf(err), c.want, out)
		}
		if now, err := os.ReadFile(rulesFile); err != nil || string(now) != usualRules {
			t.Errorf("the rules are now %s, %v", now, err)
		}
	}
}

// weirVerb runs the built program and returns all that it says.
func weirVerb(t *testing.T, args ...string) (string, error) {
	t.Helper()
	binary, err := weirBinary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, args...).CombinedOutput()
	return string(out), err
}

func exitCodeOf(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return exitOK
}
