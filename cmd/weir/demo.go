package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

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
	demoSeed        = 2026
	demoConnections = 8
	demoDeadline    = 2 * time.Minute
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
			return a.demo(ctx, keep)
		},
	}
	c.Flags().StringVar(&keep, "keep", "", "keep rules, verdict log and a weir.yaml in the new folder `DIR`, to try other rules on")
	return c
}

// demo runs the stream through a world of its own and tells what happened. kept, if not "", is the folder for what is kept.
func (a *app) demo(ctx context.Context, kept string) error {
	dir, done, err := demoFolder(kept)
	if err != nil {
		return exit{exitIO, fmt.Errorf("making a folder for the demo: %w", err)}
	}
	defer done()
	w, err := a.startWorld(ctx, dir)
	if err != nil {
		return err
	}
	letters, err := newPostOffice(demoSeed, time.Now(), w.shop.Sign).stream()
	if err != nil {
		return errors.Join(err, w.stop())
	}
	a.say("DNS lists at %s, mail server at %s, weir at %s; sending %d messages", w.dns.Addr(), w.mailbox.Addr(), w.addr, len(letters))
	replies, err := a.sendAll(ctx, w.addr, letters)
	if err := errors.Join(err, w.stop()); err != nil {
		return err
	}
	if kept != "" {
		if err := w.keepAll(kept); err != nil {
			return err
		}
		a.say("kept: weir log -c %s", filepath.Join(kept, "weir.yaml"))
	}
	t := tallyOf(letters, replies, w.mailbox.Messages(), w.records)
	a.printTally(t)
	if r := t.example(); r != nil {
		fmt.Fprintln(a.out, "\nWhy one message of the campaign was refused:")
		if err := a.printWaterfall(r); err != nil {
			return err
		}
	}
	if wrong := t.wrong(); len(wrong) > 0 {
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

	mu      sync.Mutex
	records []verdictlog.Record

	drain func() error
}

func (a *app) startWorld(ctx context.Context, dir string) (*world, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making the shop's key: %w", err)
	}
	w := &world{shop: auth.Signer{Domain: demoShop, Selector: "demo", Key: key}}
	zone, err := demoZone(w.shop)
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
	c := defaults()
	c.DNS.Patience = c.DNS.Budget // what is shown is whole, however slow the machine is
	c.Hostname, c.DNS.Servers, c.Rules = "mx.demo.test", []string{w.dns.Addr()}, filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(c.Rules, []byte(demoRules), 0o600); err != nil {
		return exit{exitIO, fmt.Errorf("writing the demo's rules: %w", err)}
	}
	resolver, err := c.DNS.resolver()
	if err != nil {
		return err
	}
	g, _, err := c.loader(resolver, store.NewMemory(int64(c.Store.Memory.Max))).load(ctx, c.Rules)
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
			Limits:  c.Limits.limits(),
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

func (w *world) keep(r verdictlog.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

// stop ends everything, the proxy first, and waits for it.
func (w *world) stop() error {
	return errors.Join(w.drain(), w.mailbox.Close(), w.dns.Close())
}

// sendAll sends the letters over several connections at once and returns the reply to each.
func (a *app) sendAll(ctx context.Context, addr string, letters []letter) ([]int, error) {
	replies := make([]int, len(letters))
	var next, sent atomic.Int64
	var senders sync.WaitGroup
	failed := make(chan error, demoConnections)
	for range demoConnections {
		senders.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(letters) {
					return
				}
				code, err := send(ctx, addr, letters[i])
				if err != nil {
					failed <- fmt.Errorf("sending %s: %w", letters[i].kind, err)
					return
				}
				replies[i] = code
				sent.Add(1)
			}
		})
	}
	stopBar := a.progress(len(letters), sent.Load)
	senders.Wait()
	stopBar()
	close(failed)
	return replies, errors.Join(<-failed, ctx.Err())
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

// send plays one client: it says by a PROXY header who it is, and sends one letter. The code is that of the last reply.
func send(ctx context.Context, addr string, l letter) (int, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	host, port, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(conn, "PROXY TCP4 %s %s %s 25\r\n", l.client, host, port); err != nil {
		return 0, err
	}
	c, err := smtp.NewClient(conn, "mx.demo.test")
	if err != nil {
		return replyCode(err)
	}
	defer c.Close()
	for _, step := range []func() error{
		func() error { return c.Hello(l.helo) },
		func() error { return c.Mail(l.from) },
		func() error { return c.Rcpt(l.to) },
		func() error { return sendData(c, l.raw) },
	} {
		if err := step(); err != nil {
			return replyCode(err)
		}
	}
	return 250, c.Quit()
}

func sendData(c *smtp.Client, raw []byte) error {
	data, err := c.Data()
	if err != nil {
		return err
	}
	w := bufio.NewWriter(data)
	w.Write(raw)
	return errors.Join(w.Flush(), data.Close())
}

// replyCode is the code of a refusal; other errors stay errors.
func replyCode(err error) (int, error) {
	var refused *textproto.Error
	if errors.As(err, &refused) {
		return refused.Code, nil
	}
	return 0, err
}
