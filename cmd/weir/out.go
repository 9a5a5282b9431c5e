package main

import (
	"encoding/json"
	"fmt"
	"io"
)

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
