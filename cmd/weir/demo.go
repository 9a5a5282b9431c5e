package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
	"weir/cmd/weir/demo"
	"weir/filters/auth"
	"weir/filters/lookup"
	"weir/filters/store"
	"weir/proxy"
	"weir/proxy/backend"
	"weir/proxy/backend/sink"
	"weir/rules"
	"weir/scoring/verdictlog"
)

const (
	demoSeed     = 2026
	demoDeadline = 2 * time.Minute
)

func (a *app) demoCommand() *cobra.Command {
	var keep string
	c := &cobra.Command{
		Use: "demo", Short: "Show the whole job on the loopback, and prove that it works", Args: cobra.NoArgs,
		Long: `Starts made-up DNS lists (one of them broken), a mail server and the proxy, all on the loopback, and sends a seeded
stream of mail through them. Prints what became of it and why. Exits 0 only if it is what should have.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), demoDeadline)
			defer cancel()
			return a.showDemo(ctx, keep)
		},
	}
	c.Flags().StringVar(&keep, "keep", "", "keep rules, verdict log and a weir.yaml in the new folder `DIR`, to try other rules on")
	return c
}

// showDemo runs the stream through a world of its own and tells what happened. kept, if not "", is the folder for what is kept.
func (a *app) showDemo(ctx context.Context, kept string) error {
	dir, done, err := demoFolder(kept)
	if err != nil {
		return exit{exitIO, fmt.Errorf("making a folder for the demo: %w", err)}
	}
	defer done()
	w, err := a.startWorld(ctx, dir)
	if err != nil {
		return err
	}
	letters, err := demo.Letters(demoSeed, time.Now(), w.shop.Sign)
	if err != nil {
		return errors.Join(err, w.stop())
	}
	a.say("DNS lists at %s, mail server at %s, weir at %s; sending %d messages", w.dns.Addr(), w.mailbox.Addr(), w.addr, len(letters))
	sender := &demo.Sender{Addr: w.addr}
	stopBar := a.progress(len(letters), sender.Sent.Load)
	replies, err := sender.Send(ctx, letters)
	stopBar()
	if err := errors.Join(err, w.stop()); err != nil {
		return err
	}
	if kept != "" {
		if err := w.keepAll(kept); err != nil {
			return err
		}
		a.say("kept: weir log -c %s", filepath.Join(kept, "weir.yaml"))
	}
	t := demo.Count(letters, replies, w.mailbox.Messages(), w.records)
	t.Print(a.out)
	if r := t.Example(); r != nil {
		fmt.Fprintln(a.out, "\nWhy one message of the campaign was refused:")
		if err := a.printWaterfall(r); err != nil {
			return err
		}
	}
	if wrong := t.Wrong(); len(wrong) > 0 {
		for _, line := range wrong {
			fmt.Fprintln(a.out, "WRONG:", line)
		}
		return exit{code: exitNo}
	}
	fmt.Fprintln(a.out, "\nEverything happened as it should have.")
	return nil
}

// demoFolder makes the folder that is kept, or one that done removes.
func demoFolder(kept string) (dir string, done func(), err error) {
	if kept != "" {
		return kept, func() {}, os.Mkdir(kept, 0o750)
	}
	dir, err = os.MkdirTemp("", "weir-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// world is everything the demo runs.
type world struct {
	rules   *rules.Set
	shop    auth.Signer
	dns     *lookup.Server
	mailbox *sink.Sink
	addr    string

	mu       sync.Mutex
	records  []verdictlog.Record
	messages map[string][]byte // by the ids of records

	drain func() error
}

func (a *app) startWorld(ctx context.Context, dir string) (*world, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making the shop's key: %w", err)
	}
	w := &world{shop: auth.Signer{Domain: demo.Shop, Selector: "demo", Key: key}, messages: map[string][]byte{}}
	zone, err := demo.Zone(w.shop)
	if err != nil {
		return nil, fmt.Errorf("writing the demo's zone: %w", err)
	}
	if w.dns, err = lookup.Serve("127.0.0.1:0", zone); err != nil {
		return nil, exit{exitUnavailable, fmt.Errorf("starting the DNS lists: %w", err)}
	}
	if w.mailbox, err = sink.Listen("127.0.0.1:0"); err != nil {
		return nil, exit{exitUnavailable, fmt.Errorf("starting the mail server: %w", err)}
	}
	w.mailbox.Maildir = filepath.Join(dir, "Maildir")
	return w, a.startProxy(ctx, w, dir)
}

// startProxy puts weir in front of the world's mail server.
func (a *app) startProxy(ctx context.Context, w *world, dir string) error {
	c := config.Defaults()
	c.DNS.Patience = c.DNS.Budget // what is shown is whole, however slow the machine is
	c.Hostname, c.DNS.Servers, c.Rules = "mx.demo.test", []string{w.dns.Addr()}, filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(c.Rules, []byte(demo.Rules), 0o600); err != nil {
		return exit{exitIO, fmt.Errorf("writing the demo's rules: %w", err)}
	}
	resolver, err := c.DNS.Resolver()
	if err != nil {
		return err
	}
	g, _, err := newLoader(c, resolver, store.NewMemory(int64(c.Store.Memory.Max))).load(ctx, c.Rules)
	if err != nil {
		return err
	}
	w.rules = g.Rules
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return exit{exitUnavailable, fmt.Errorf("starting the proxy: %w", err)}
	}
	w.addr = l.Addr().String()
	server := &proxy.Server{
		Hostname: c.Hostname, Version: release, Log: slog.New(slog.DiscardHandler),
		Settings: proxy.Settings{
			Backend: &backend.Backend{Addrs: []string{w.mailbox.Addr()}, Timeout: c.Backend.Timeout, Hello: c.Hostname},
			Limits:  c.Limits.Proxy(),
		},
		Current: func() *proxy.Generation { return g }, Record: w.keep,
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(serving, proxy.Listener{Name: "demo", Net: l, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	}()
	w.drain = func() error {
		err := server.Drain(ctx)
		stop()
		err = errors.Join(err, <-done)
		resolver.Close()
		return err
	}
	return nil
}

func (w *world) keep(r verdictlog.Record, message []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
	if message != nil {
		w.messages[r.ID] = slices.Clone(message)
	}
}

// stop ends everything, the proxy first, and waits for it.
func (w *world) stop() error {
	return errors.Join(w.drain(), w.mailbox.Close(), w.dns.Close())
}

// progress draws a bar on a terminal until the returned func is called.
func (a *app) progress(total int, done func() int64) func() {
	if a.quiet || !isTerminal(a.err) {
		return func() {}
	}
	const width = 40
	draw := func() {
		n := int(done())
		full := width * n / total
		fmt.Fprintf(a.err, "\r[%-*s] %d of %d", width, string(makeBar(full)), n, total)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-tick.C:
				draw()
			case <-end:
				draw()
				fmt.Fprintln(a.err)
				return
			}
		}
	}()
	return func() { tick.Stop(); close(end); <-ended }
}

func makeBar(n int) []byte {
	bar := make([]byte, n)
	for i := range bar {
		bar[i] = '#'
	}
	return bar
}
