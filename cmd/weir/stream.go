package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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
	return eachStreamLine(a.in, files, func(line streamLine) error {
		s, err := line.submission()
		if err != nil {
			return err
		}
		r := judge(ctx, g, s).record(g)
		r.Path = line.Path
		return a.printJSON(r)
	})
}

// eachStreamLine calls one for each message named, and for each line of standard input if "-" or nothing is named.
func eachStreamLine(stdin io.Reader, files []string, one func(streamLine) error) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, f := range files {
		var err error
		if f == "-" {
			err = eachLine(stdin, one)
		} else {
			err = one(streamLine{Path: f})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eachLine(in io.Reader, one func(streamLine) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		line, err := parseStreamLine(text)
		if err != nil {
			return exit{exitData, fmt.Errorf("standard input, line %d: %w", n, err)}
		}
		if err := one(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return exit{exitIO, fmt.Errorf("reading standard input: %w", err)}
	}
	return nil
}

// parseStreamLine reads a path, or a JSON object with one.
func parseStreamLine(text string) (streamLine, error) {
	if !strings.HasPrefix(text, "{") {
		return streamLine{Path: text}, nil
	}
	var line streamLine
	err := json.Unmarshal([]byte(text), &line)
	var kind *json.UnmarshalTypeError
	var clock *time.ParseError
	switch {
	case errors.As(err, &kind):
		return line, fmt.Errorf("%q cannot be a JSON %s", kind.Field, kind.Value)
	case errors.As(err, &clock):
		return line, fmt.Errorf("\"time\" must be like 2026-11-24T10:00:00Z, not %q", clock.Value)
	case err != nil:
		return line, err
	case line.Path == "":
		return line, errors.New("\"path\" is missing")
	}
	return line, nil
}

func (l streamLine) submission() (submission, error) {
	client := netip.IPv4Unspecified()
	if l.IP != "" {
		var err error
		if client, err = parseClient(l.IP); err != nil {
			return submission{}, exit{exitData, fmt.Errorf("%s: ip: %w", l.Path, err)}
		}
	}
	file, err := os.Open(l.Path)
	if err != nil {
		return submission{}, exit{exitNoInput, err}
	}
	defer file.Close()
	raw, err := readMessage(l.Path, file)
	if err != nil {
		return submission{}, err
	}
	s := submission{at: l.Time, client: client, from: l.From, to: l.Rcpt, raw: raw}
	s.session.Hello = l.Helo
	if l.RDNS != "" {
		s.session.ReverseName, s.session.ReverseOK, s.session.ReverseKnown = l.RDNS, true, true
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
		a.Domains = append(a.Domains, strings.ToLower(strings.TrimSuffix(d, ".")))
	}
	return a
}
