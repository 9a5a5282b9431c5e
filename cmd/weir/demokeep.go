package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"weir/cmd/weir/config"
	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// keepAll writes the verdicts of the demo as the log of a weir.yaml in dir, beside its rules, to try other rules on.
func (w *world) keepAll(dir string) error {
	conf := fmt.Sprintf("version: 1\nhostname: mx.demo.test\nlisten: [{ addr: \"127.0.0.1:2525\" }]\nbackend: { addrs: [%q] }\n"+
		"dns: { servers: [%q] }\nrules: rules.yaml\nverdicts: { dir: verdicts, bodies: { of: all } }\n", w.mailbox.Addr(), w.dns.Addr())
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
	kept, err := bodies.Open(bodies.Options{Dir: verdictlog.Bodies(verdicts), Keep: config.Defaults().Verdicts.Bodies.Keep, MaxSize: int64(config.Defaults().Verdicts.Bodies.Max)})
	if err != nil {
		return exit{exitIO, errors.Join(fmt.Errorf("keeping the demo: %w", err), log.Close())}
	}
	for id, message := range w.messages {
		kept.Put(id, message)
	}
	if err := errors.Join(log.Close(), kept.Close()); err != nil {
		return exit{exitIO, fmt.Errorf("keeping the demo: %w", err)}
	}
	if lost := log.Dropped() + kept.Lost(); lost > 0 {
		return exit{exitIO, errors.New("keeping the demo: " + count(int(lost), "record") + " lost")}
	}
	return nil
}
