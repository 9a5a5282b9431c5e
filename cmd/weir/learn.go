package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/filters"
	"weir/scoring/verdictlog"
)

func (a *app) learnCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "learn", Short: "Say of messages that they are spam or ham",
		Long: `Keeps beside the verdict log what people say of messages. It changes no verdict that was given: weir replay, rules
stats, dns health, explain and log show where the rules were wrong. A weir that runs counts what is called spam for the
message's campaign and for its proven sender (docs/bulk.md), and the sender is a stranger to the greylist again. ID is that
of a verdict; its first ten letters are enough if they are unique. FILE is a message or an mbox, as it was delivered or as
it came; it is found in the log by the X-Weir-Verdict that weir wrote, or by Message-ID and digest. One that the log does
not have is kept by its digest.`,
	}
	for _, verb := range []struct{ said, short string }{
		{verdictlog.Spam, "They are spam"}, {verdictlog.Ham, "They are ham: wanted"}, {verdictlog.Unlearn, "Take back what was said"},
	} {
		c.AddCommand(&cobra.Command{
			Use: verb.said + " ID|FILE|-...", Short: verb.short, Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				folder, err := a.verdictDir(dir)
				if err != nil {
					return err
				}
				l := learner{app: a, dir: folder, said: verb.said}
				for _, name := range args {
					if err := l.named(c.Context(), name); err != nil {
						return err
					}
				}
				return nil
			},
		})
	}
	c.PersistentFlags().StringVar(&dir, "dir", "", "the verdict log is in `DIR` instead of the configured folder")
	return c
}

// learner keeps what is said of messages.
type learner struct {
	app  *app
	dir  string
	said string
}

// named keeps what is said of a verdict, or of the messages in a file.
func (l learner) named(ctx context.Context, name string) error {
	if name == "-" {
		return l.messages(ctx, name, l.app.in)
	}
	file, err := os.Open(name)
	if err == nil {
		defer file.Close()
		return l.messages(ctx, name, file)
	}
	if !errors.Is(err, fs.ErrNotExist) || strings.ContainsAny(name, "./") {
		return exit{exitNoInput, err}
	}
	r, err := verdictlog.Find(l.dir, name)
	if err != nil {
		return exit{exitNoInput, err}
	}
	return l.keep(r, verdictlog.Mark{ID: r.ID})
}

func (l learner) messages(ctx context.Context, name string, in io.Reader) error {
	return splitMessages(name, in, func(path string, raw []byte) error {
		if len(bytes.TrimSpace(raw)) == 0 {
			return exit{exitData, fmt.Errorf("%s: there is no message", path)}
		}
		r, digest, err := l.find(ctx, raw)
		if err != nil {
			return err
		}
		if r == nil {
			return l.keep(nil, verdictlog.Mark{SHA256: digest})
		}
		return l.keep(r, verdictlog.Mark{ID: r.ID})
	})
}

// find looks for the record of a message, nil if the log has none, and makes the digest of the message as it came.
func (l learner) find(ctx context.Context, raw []byte) (r *verdictlog.Record, digest string, err error) {
	m := filters.ParseMessage(raw)
	asIs, digest := digestOf(raw), digestOf(bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")))
	if said := m.Header("X-Weir-Verdict"); len(said) > 0 {
		id, _, _ := strings.Cut(strings.TrimPrefix(said[0], "id="), ";")
		r, err := verdictlog.Find(l.dir, id)
		if err == nil && r.Message != nil && r.Message.MessageID == m.MessageID() { // else somebody else has written it
			return r, digest, nil
		}
	}
	if m.MessageID() == "" {
		return nil, digest, nil
	}
	q, err := verdictlog.ParseQuery([]string{`"` + strings.ReplaceAll(m.MessageID(), `"`, "") + `"`})
	if err != nil {
		return nil, digest, nil // what cannot be looked for is not there
	}
	err = verdictlog.Search(ctx, l.dir, q, func(found *verdictlog.Record) error {
		if found.Message != nil && (found.Message.SHA256 == digest || found.Message.SHA256 == asIs) {
			r = found // the newest, if it came more than once
		}
		return nil
	})
	return r, digest, err
}

// digestOf is how records name a message.
func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// keep writes a mark, and says of what.
func (l learner) keep(r *verdictlog.Record, m verdictlog.Mark) error {
	m.Time, m.Learned = time.Now().UTC(), l.said
	if err := verdictlog.Learn(l.dir, m); err != nil {
		return exit{exitIO, err}
	}
	switch {
	case l.app.json:
		return l.app.printJSON(m)
	case r == nil:
		l.app.say("%s: a message that the log does not have, sha256 %s", m.Learned, m.SHA256)
	default:
		l.app.say("%s: %s", m.Learned, logLine(r, false))
	}
	return nil
}
