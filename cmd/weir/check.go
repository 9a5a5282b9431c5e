package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/rules/strict"
	"weir/scoring/verdictlog"
)

// maxChecked bounds one message read by check.
const maxChecked = 100 << 20

// checkFlags describe the session a message would have come in, by rspamc's letters.
type checkFlags struct {
	workbench
	ip, from, user, helo, rdns string
	rcpt                       []string
	exitCode                   bool
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check [FILE|DIR|MBOX|ID|-]...",
		Short: "Judge messages without SMTP",
		Long: `Judges messages as the proxy would, and says why. A folder is searched for files; a file that begins with
"From " is read as an mbox. ID is that of a verdict whose message is kept: it is judged now, with the clock, the client, the
sender and the recipients of then. With -v the whole waterfall is printed, with --json the verdict record.`,
		RunE: func(c *cobra.Command, args []string) error { return a.check(c.Context(), f, args) },
	}
	f.flags(c)
	c.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit 1 if any verdict is worse than pass")
	return c
}

func (f *checkFlags) flags(c *cobra.Command) {
	f.workbench.flags(c)
	flags := c.Flags()
	flags.StringVarP(&f.ip, "ip", "i", "", "the client's `ADDRESS`")
	flags.StringVarP(&f.from, "from", "F", "", "the envelope sender")
	flags.StringArrayVarP(&f.rcpt, "rcpt", "r", nil, "an envelope recipient (may be repeated)")
	flags.StringVarP(&f.user, "user", "u", "", "the authenticated user")
	flags.StringVar(&f.helo, "helo", "", "the client's HELO")
	flags.StringVar(&f.rdns, "rdns", "", "the client's reverse name")
}

func (a *app) check(ctx context.Context, f checkFlags, args []string) error {
	s, err := f.submission()
	if err != nil {
		return exit{exitUsage, err}
	}
	g, done, err := a.workbench(ctx, f.workbench)
	if err != nil {
		return err
	}
	defer done()
	worst := rules.Pass
	one := func(path string, s submission) error {
		r := judge(ctx, g, s).record(g)
		r.Path = path
		worst = max(worst, r.Verdict.Action)
		return a.printChecked(r)
	}
	kept, args := keptAmong(args)
	err = a.eachKept(kept, one)
	if len(args) > 0 || len(kept) == 0 {
		err = errors.Join(err, eachMessage(a.in, args, func(path string, raw []byte) error {
			s.raw = raw
			return one(path, s)
		}))
	}
	if err == nil && f.exitCode && worst > rules.Pass {
		return exit{code: exitNo}
	}
	return err
}

func (f checkFlags) submission() (submission, error) {
	s := submission{client: netip.IPv4Unspecified(), from: f.from, to: f.rcpt}
	s.session.User, s.session.Hello = f.user, f.helo
	if f.rdns != "" {
		s.session.ReverseName, s.session.ReverseOK, s.session.ReverseKnown = f.rdns, true, true
	}
	if f.ip != "" {
		var err error
		if s.client, err = parseClient(f.ip); err != nil {
			return s, fmt.Errorf("-i: %w", err)
		}
	}
	return s, nil
}

func parseClient(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return ip, fmt.Errorf("%q is not an IP address", text)
	}
	return ip.Unmap(), nil
}

// printChecked prints one verdict: a line, the waterfall, or the record.
func (a *app) printChecked(r verdictlog.Record) error {
	switch {
	case a.json:
		return a.printJSON(r)
	case a.verbose:
		fmt.Fprintf(a.out, "%s\n", r.Path)
		return a.printWaterfall(&r)
	}
	var names []string
	for _, h := range r.Hits {
		names = append(names, fmt.Sprintf("%s %s", h.Rule, h.Points))
	}
	fmt.Fprintf(a.out, "%s: %s %s  %s", r.Path, r.Verdict.Action, r.Verdict.Score, strings.Join(names, ", "))
	for _, e := range r.Errors {
		fmt.Fprintf(a.out, "  !%s:%s", e.Check, e.Kind)
	}
	fmt.Fprintln(a.out)
	return nil
}

// eachMessage calls each with the messages that args name, in order. What cannot be read is passed over, and is the
// error at the end.
func eachMessage(stdin io.Reader, args []string, each func(path string, raw []byte) error) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	var failed []error
	for _, arg := range args {
		if arg == "-" {
			failed = append(failed, splitMessages("-", stdin, each))
			continue
		}
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			failed = append(failed, exit{exitNoInput, err})
		case info.IsDir():
			failed = append(failed, eachInFolder(arg, each))
		default:
			failed = append(failed, readMessages(arg, each))
		}
	}
	return errors.Join(failed...)
}

// eachInFolder calls each with the messages in the files of a folder and of those in it.
func eachInFolder(dir string, each func(path string, raw []byte) error) error {
	var failed []error
	_ = filepath.WalkDir(dir+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			failed = append(failed, exit{exitNoInput, err})
		case isFile(path, d):
			failed = append(failed, readMessages(path, each))
		}
		return nil
	})
	return errors.Join(failed...)
}

// isFile reports whether d is a file, or a link to one.
func isFile(path string, d fs.DirEntry) bool {
	if d.Type() != fs.ModeSymlink {
		return d.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readMessages(path string, each func(path string, raw []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return exit{exitNoInput, err}
	}
	defer file.Close()
	return splitMessages(path, file, each)
}

// readMessage reads all of r as one message.
func readMessage(path string, r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxChecked+1))
	if err != nil {
		return nil, exit{exitIO, fmt.Errorf("reading %s: %w", path, err)}
	}
	if len(raw) > maxChecked {
		return nil, exit{exitData, fmt.Errorf("%s is larger than %d MiB", path, maxChecked>>20)}
	}
	return raw, nil
}

// splitMessages reads one message, or the messages of an mbox (RFC 4155), whose paths are numbered "FILE#2".
func splitMessages(path string, r io.Reader, each func(string, []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	start, _ := in.Peek(5)
	if !bytes.Equal(start, []byte("From ")) {
		raw, err := readMessage(path, in)
		if err != nil {
			return err
		}
		return each(path, raw)
	}
	return splitMbox(path, in, each)
}

func splitMbox(path string, in *bufio.Reader, each func(string, []byte) error) error {
	var raw []byte
	n, begins, blank := 0, true, true // whether a line begins here, and whether the one before was empty
	one := func() error { return each(fmt.Sprintf("%s#%d", path, n), raw) }
	for {
		piece, err := in.ReadSlice('\n')
		if begins && blank && bytes.HasPrefix(piece, []byte("From ")) {
			if n > 0 {
				if err := one(); err != nil {
					return err
				}
			}
			n, raw = n+1, []byte{}
		} else {
			if begins {
				piece = unquoteFrom(piece)
			}
			raw = append(raw, piece...)
		}
		blank = begins && len(bytes.TrimRight(piece, "\r\n")) == 0
		begins = err != bufio.ErrBufferFull
		switch {
		case len(raw) > maxChecked:
			return exit{exitData, fmt.Errorf("%s: message %d is larger than %d MiB", path, n, maxChecked>>20)}
		case err == io.EOF:
			return one()
		case err != nil && begins:
			return exit{exitIO, fmt.Errorf("reading %s: %w", path, err)}
		}
	}
}

// unquoteFrom takes one ">" from a line that an mbox writer has quoted.
func unquoteFrom(line []byte) []byte {
	if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) && line[0] == '>' {
		return line[1:]
	}
	return line
}

// warn prints the findings that did not stop the rules from loading.
func (a *app) warn(findings strict.Findings) {
	for _, f := range findings {
		a.say("weir: %s", f)
	}
}
