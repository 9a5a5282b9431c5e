package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
)

// Exit codes, after sysexits.h where one fits.
const (
	exitOK          = 0
	exitNo          = 1  // the answer to the question is no
	exitUsage       = 64 // the command line is wrong
	exitData        = 65 // the input is wrong
	exitNoInput     = 66 // there is no such input
	exitUnavailable = 69 // a server does not answer
	exitIO          = 74
	exitTemporary   = 75
	exitConfig      = 78 // configuration or rules are wrong
)

// exit is an error that decides the exit code. With a nil err nothing more is printed.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// streams are the program's ends. Answers go to out, talk and progress to err.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// app is what every verb shares: the streams and the global flags.
type app struct {
	streams
	configFile string
	json       bool
	color      string
	quiet      bool
	verbose    bool
	html       bool // explain prints a page
}

// run is the whole program: it takes the arguments and returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	out := &answers{to: s.out}
	s.out = out
	a := &app{streams: s}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if out.failed != nil {
		err = exit{exitIO, fmt.Errorf("writing the answer: %w", out.failed)}
	}
	return a.report(err)
}

// goParse is what Go's own words add to an error about a flag.
var goParse = regexp.MustCompile(`strconv\.\w+: parsing "[^"]*": `)

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "weir",
		Short:         "An anti-spam SMTP front proxy that explains itself",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch a.color {
			case "auto", "always", "never":
				return nil
			}
			return exit{exitUsage, fmt.Errorf("--color %s: want auto, always or never", a.color)}
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.configFile, "config", "c", "", "read weir.yaml from `FILE`")
	flags.BoolVar(&a.json, "json", false, "print one JSON object a line")
	flags.StringVar(&a.color, "color", "auto", "colour the output: auto, always or never")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but the answer")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "say more")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		text := goParse.ReplaceAllString(err.Error(), "")
		return exit{exitUsage, fmt.Errorf("%s\n  %s --help lists the flags", text, c.CommandPath())}
	})
	root.AddCommand(a.verbs()...)
	root.SetHelpCommand(a.helpCommand())
	root.InitDefaultCompletionCmd()
	usageErrors(root)
	return root
}

// verbs is the list of all verbs, in the order of a day with weir.
func (a *app) verbs() []*cobra.Command {
	return []*cobra.Command{
		a.serveCommand(), a.demoCommand(), a.checkCommand(), a.explainCommand(), a.logCommand(), a.replayCommand(),
		a.streamCommand(), a.rulesCommand(), a.bulkCommand(), a.dnsCommand(), a.doctorCommand(), a.configCommand(),
		a.reloadCommand(), a.promoteCommand(), a.learnCommand(), a.healthcheckCommand(), a.versionCommand(),
	}
}

// usageErrors makes wrong arguments of c and its children exit with exitUsage.
func usageErrors(c *cobra.Command) {
	if c.HasSubCommands() && c.RunE == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownVerb(c, args[0])
			}
			return c.Help()
		}
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return exit{exitUsage, fmt.Errorf("%w\n  usage: %s", err, c.UseLine())}
			}
			return nil
		}
	}
	for _, child := range c.Commands() {
		usageErrors(child)
	}
}

func unknownVerb(c *cobra.Command, word string) error {
	text := fmt.Sprintf("unknown command %q for %q", word, c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(word); len(near) > 0 {
		text += "\n  did you mean " + strings.Join(near, " or ") + "?"
	} else {
		text += "\n  " + c.CommandPath() + " --help lists the commands"
	}
	return exit{exitUsage, errors.New(text)}
}

// report prints err as users see it, each of its parts by itself, and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	var e exit
	switch wrong := (config.Error{}); {
	case errors.As(err, &e):
	case errors.As(err, &wrong):
		e = exit{exitConfig, err}
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		e = exit{exitNoInput, err}
	default:
		e = exit{exitIO, err}
	}
	if e.err != nil {
		for _, one := range leaves(err) {
			fmt.Fprintf(a.err, "weir: %s\n", one)
		}
	}
	return e.code
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	switch e := err.(type) {
	case exit:
		return leaves(e.err)
	case config.Error:
		return leaves(e.Err)
	case interface{ Unwrap() []error }:
		var all []error
		for _, one := range e.Unwrap() {
			all = append(all, leaves(one)...)
		}
		return all
	}
	return []error{err}
}

// colored reports whether output to w is to be coloured.
func (a *app) colored(w io.Writer) bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	if a, ok := w.(*answers); ok {
		w = a.to
	}
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
