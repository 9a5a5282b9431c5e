package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"weir/cmd/weir/config"
	"weir/filters/store"
)

// snapshotEvery is how often a running weir writes what it remembers: so much is lost when it is killed.
const snapshotEvery = 5 * time.Minute

// openStore makes the store of a running weir, and the func that ends its use.
func openStore(c config.Store, log *slog.Logger) (s store.Store, done func(), err error) {
	m, saved, kept, err := rememberedBy(c, log)
	if err != nil || len(c.Redis.Addrs) == 0 {
		return m, kept, err
	}
	shared, err := share(c.Redis, m, saved, log)
	if err != nil {
		kept()
		return nil, nil, err
	}
	return shared, func() {
		shared.Close()
		kept()
	}, nil
}

// rememberedBy makes the memory of a running weir, from its snapshot if there is one, and the func that ends its use:
// until then the snapshot is written now and again, and then once more. saved is when the snapshot was written.
func rememberedBy(c config.Store, log *slog.Logger) (m *store.Memory, saved time.Time, done func(), err error) {
	path := c.Memory.Snapshot
	if path == "" {
		return store.NewMemory(int64(c.Memory.Max)), saved, func() {}, nil
	}
	release, err := store.Hold(path)
	switch {
	case errors.Is(err, store.ErrHeld):
		return nil, saved, nil, exit{exitTemporary, fmt.Errorf("store.memory.snapshot: %w", err)}
	case err != nil:
		return nil, saved, nil, exit{exitIO, fmt.Errorf("store.memory.snapshot: %w", err)}
	}
	info, unsaved := os.Stat(path)
	m, err = store.Restore(path, int64(c.Memory.Max))
	if m == nil {
		return nil, saved, nil, exit{exitIO, errors.Join(fmt.Errorf("store.memory.snapshot: %w", err), release())}
	}
	if err == nil && unsaved == nil {
		saved = info.ModTime()
	}
	if err != nil {
		log.Warn("what was remembered of earlier mail is lost", "snapshot", path, "err", err)
	}
	counters, bytes := m.Usage()
	log.Info("memory", "snapshot", path, "counters", counters, "bytes", bytes)
	stop := keep(m, path, log)
	return m, saved, func() {
		stop()
		if err := release(); err != nil {
			log.Warn("snapshot", "err", err)
		}
	}, nil
}

// keep writes m to path every snapshotEvery, and a last time when stop is called.
func keep(m *store.Memory, path string, log *slog.Logger) (stop func()) {
	write := func() {
		if err := m.SaveFile(path); err != nil {
			log.Error("snapshot not written, the old one stays", "err", err)
		}
	}
	ending := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		ticks := time.NewTicker(snapshotEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				write()
			case <-ending:
				write()
				return
			}
		}
	})
	return func() {
		close(ending)
		writer.Wait()
	}
}
