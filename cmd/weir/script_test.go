package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" { // else each verb of a script sleeps for a second before it ends
		os.Setenv("GORACE", "atexit_sleep_ms=20")
	}
	testscript.Main(m, map[string]func(){
		"weir": func() {
			os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
		},
		"as-service": startAsService,
	})
}

// TestScripts runs the command-line sessions in testdata/script, one file a feature.
func TestScripts(t *testing.T) {
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TOP", top)
			return nil
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}
