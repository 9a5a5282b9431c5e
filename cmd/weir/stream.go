package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/filters"
	"weir/proxy"
)

func (a *app) streamCommand() *cobra.Command {
	var q workbench
	c := &cobra.Command{
		Use:   "stream [FILE...|-]",
		Short: "Judge messages as one stream of mail and print a record for each, for measuring",
		Long: `Reads paths of messages on standard input, a line each and in order, and judges them as one stream of mail that
shares its counts. Prints one verdict record a line, with its "path", in the same order. A line may be JSON:
{"path":…,"ip":…,"from":…,"rcpt":[…],"auth":"domain proven to have sent it","time":RFC3339}
"time" drives the clock of the windows.`,
		RunE: func(c *cobra.Command, args []string) error {
			g, done, err := a.workbench(c.Context(), q)
			if err != nil {
				return err
			}
			defer done()
			return a.stream(c.Context(), g, args)
		},
	}
	q.flags(c)
	return c
}

// streamLine is one message of a stream.
type streamLine struct {
	Path string    `json:"path"`
	IP   string    `json:"ip"`
	From string    `json:"from"`
	Rcpt []string  `json:"rcpt"`
	Helo string    `json:"helo"`
	RDNS string    `json:"rdns"`
	Auth string    `json:"auth"`
	Time time.Time `json:"time"`
}

func (a *app) stream(ctx context.Context, g *proxy.Generation, files []string) error {
	out := bufio.NewWriter(a.out)
	one := func(line streamLine) error {
		s, err := line.submission()
		if err != nil {
			return exit{exitData, fmt.Errorf("%s: %w", line.Path, err)}
		}
		r := judge(ctx, g, s).record(g)
		r.Path = line.Path
		return writeJSON(out, r)
	}
	err := eachStreamLine(a.in, files, one)
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = exit{exitIO, fmt.Errorf("writing records: %w", flushErr)}
	}
	return err
}

// eachStreamLine calls one for each file named, and for each line of standard input if "-" or nothing is named.
func eachStreamLine(stdin io.Reader, files []string, one func(streamLine) error) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, f := range files {
		if f != "-" {
			if err := one(streamLine{Path: f}); err != nil {
				return err
			}
			continue
		}
		lines := bufio.NewScanner(stdin)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			text := strings.TrimSpace(lines.Text())
			if text == "" {
				continue
			}
			line := streamLine{Path: text}
			if strings.HasPrefix(text, "{") {
				line.Path = ""
				if err := json.Unmarshal([]byte(text), &line); err != nil {
					return exit{exitData, fmt.Errorf("standard input, line %d: %w", n, err)}
				}
			}
			if err := one(line); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			return exit{exitIO, fmt.Errorf("reading standard input: %w", err)}
		}
	}
	return nil
}

func (l streamLine) submission() (submission, error) {
	raw, err := os.ReadFile(l.Path)
	if err != nil {
		return submission{}, err
	}
	s := submission{at: l.Time, client: netip.IPv4Unspecified(), from: l.From, to: l.Rcpt, raw: raw}
	s.session.Hello = l.Helo
	if l.IP != "" {
		if s.client, err = netip.ParseAddr(l.IP); err != nil {
			return submission{}, fmt.Errorf("ip: %w", err)
		}
	}
	if l.RDNS != "" {
		s.session.ReverseName, s.session.ReverseOK, s.session.ReverseKnown = l.RDNS, true, true
	}
	if len(s.to) == 0 {
		s.to = []string{"postmaster@localhost"}
	}
	if l.Auth != "" {
		s.auth = proven(l.Auth)
	}
	return s, nil
}

// proven is what is known of a sender when somebody vouches for domains.
func proven(domains ...string) *filters.Auth {
	a := &filters.Auth{}
	for _, d := range domains {
		a.Domains = append(a.Domains, strings.ToLower(d))
	}
	return a
}
