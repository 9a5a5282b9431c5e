package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"weir/scoring/verdictlog"
)

// keepAll writes the verdicts of the demo as the log of a weir.yaml in dir, beside its rules, to try other rules on.
func (w *world) keepAll(dir string) error {
	conf := fmt.Sprintf("version: 1\nhostname: mx.demo.test\nlisten: [{ addr: \"127.0.0.1:2525\" }]\nbackend: { addrs: [%q] }\n"+
		"dns: { servers: [%q] }\nrules: rules.yaml\nverdicts: { dir: verdicts }\n", w.mailbox.Addr(), w.dns.Addr())
	if err := os.WriteFile(filepath.Join(dir, "weir.yaml"), []byte(conf), 0o640); err != nil {
		return exit{exitIO, fmt.Errorf("keeping the demo: %w", err)}
	}
	verdicts := filepath.Join(dir, "verdicts")
	keepSought(slog.New(slog.DiscardHandler), verdicts, w.rules)
	log, err := verdictlog.Open(verdictlog.Options{Dir: verdicts})
	if err != nil {
		return exit{exitIO, fmt.Errorf("keeping the demo: %w", err)}
	}
	for _, r := range w.records {
		log.Put(r)
	}
	if err := log.Close(); err != nil {
		return exit{exitIO, fmt.Errorf("keeping the demo: %w", err)}
	}
	if lost := log.Dropped(); lost > 0 {
		return exit{exitIO, errors.New("keeping the demo: " + count(int(lost), "record") + " lost")}
	}
	return nil
}
