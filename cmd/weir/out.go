package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// answers is the stream that answers go to. It remembers a failure, so that a verb need not look after each line.
type answers struct {
	to     io.Writer
	failed error
}

func (a *answers) Write(p []byte) (int, error) {
	n, err := a.to.Write(p)
	if a.failed == nil {
		a.failed = err
	}
	return n, err
}

// printJSON writes v as one line on the answer stream.
func (a *app) printJSON(v any) error { return writeJSON(a.out, v) }

// say writes talk to the error stream, unless told to be quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// writeJSON writes v as one line to w.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// count writes a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
