package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
)

// beforeSuffix is added to the name of the rules file for what was in it before a promotion.
const beforeSuffix = ".before"

type promoteFlags struct {
	replayFlags
	yes bool
}

func (a *app) promoteCommand() *cobra.Command {
	var f promoteFlags
	c := &cobra.Command{
		Use: "promote [QUERY]", Short: "Put the rules on trial in force, after their tests and a rehearsal",
		Long: `Puts the file of shadow_rules in the place of the rules. First it is checked, its tests are run, and the verdicts of the
log that QUERY finds are judged again under it, as weir replay does. If more flip than --fail-on says, which is none
unless said, nothing is changed, unless with --yes. The rules that were in force stay beside as rules.yaml.before. A weir
that runs with admin.addr is made to reload; if it refuses, the old rules are put back.`,
		Example: `  weir promote -c weir.yaml --since 7d --fail-on new_reject>0
  weir promote -c weir.yaml --yes`,
		DisableFlagParsing: true, // because of words such as -rule:X
		RunE:               withWords(func(ctx context.Context, words []string) error { return a.promote(ctx, f, words) }),
	}
	flags := c.Flags()
	f.log.bind(c)
	flags.StringArrayVar(&f.failOn, "fail-on", []string{"0"}, "change nothing if more than `N` verdicts flip, or if an expression such as new_reject>0 holds")
	flags.IntVar(&f.show, "show", 20, "show `N` flips of each kind")
	flags.BoolVar(&f.yes, "yes", false, "whatever flips")
	return c
}

// promote puts the candidate of the configuration in force.
func (a *app) promote(ctx context.Context, f promoteFlags, words []string) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	switch {
	case c.ShadowRules == "" || c.Rules == "":
		return exit{exitUsage, errors.New("promote: weir.yaml names no rules on trial\n  rules: rules.yaml, and shadow_rules: the file to try")}
	case filepath.Dir(c.ShadowRules) != filepath.Dir(c.Rules):
		return exit{exitUsage, fmt.Errorf("promote: %s is not beside %s: what it includes is looked for beside it", c.ShadowRules, c.Rules)}
	}
	text, err := os.ReadFile(c.ShadowRules)
	if err != nil {
		return exit{exitNoInput, fmt.Errorf("reading rules: %w", err)}
	}
	_, _, warnings, err := tested(ctx, c.ShadowRules)
	if err != nil {
		return err
	}
	a.warn(warnings)
	if err := a.rehearse(ctx, c, f, words); err != nil {
		return err
	}
	if now, err := os.ReadFile(c.ShadowRules); err != nil || !bytes.Equal(now, text) {
		return exit{exitTemporary, fmt.Errorf("promote: %s has changed meanwhile; nothing was done", c.ShadowRules)}
	}
	if err := replaceRules(c.Rules, text); err != nil {
		return exit{exitIO, fmt.Errorf("promote: %w", err)}
	}
	a.say("%s is in the place of %s; the old rules are in %s", c.ShadowRules, c.Rules, c.Rules+beforeSuffix)
	return a.promoted(ctx, c)
}

// rehearse judges the verdicts of the log under the candidate, and answers no if too many flip.
func (a *app) rehearse(ctx context.Context, c config.Config, f promoteFlags, words []string) error {
	if c.Verdicts.Dir == "" && f.log.dir == "" {
		if f.yes {
			return nil
		}
		return exit{exitUsage, errors.New("promote: there is no verdict log to rehearse on\n  name its folder with --dir, or go without with --yes")}
	}
	f.rules = c.ShadowRules
	err := a.replay(ctx, f.replayFlags, words)
	var e exit
	if !errors.As(err, &e) || e.code != exitNo {
		return err
	}
	if f.yes {
		return nil
	}
	a.say("nothing was changed; --yes promotes all the same")
	return err
}

// replaceRules puts text into the file at path, all at once; what was there stays beside it.
func replaceRules(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := writeWhole(path+beforeSuffix, old, info.Mode().Perm()); err != nil {
		return err
	}
	return writeWhole(path, text, info.Mode().Perm())
}

// writeWhole writes a file so that whoever reads it finds the old text or the new one, also after a crash.
func writeWhole(path string, text []byte, mode os.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// promoted makes a running weir read the new rules. If it refuses, they are put back.
func (a *app) promoted(ctx context.Context, c config.Config) error {
	if c.Admin.Addr == "" {
		a.say("a weir that runs has the old rules in force until it is sent SIGHUP: systemctl reload weir, or kill -HUP PID")
		return nil
	}
	err := a.askReload(ctx, operatorAt(c.Admin.Addr))
	var e exit
	switch {
	case !errors.As(err, &e):
		return err
	case e.code == exitUnavailable:
		a.say("no weir answers at %s: it reads the new rules when it starts", c.Admin.Addr)
		return nil
	case e.code != exitConfig:
		return err
	}
	if back := os.Rename(c.Rules+beforeSuffix, c.Rules); back != nil {
		return exit{exitIO, errors.Join(err, fmt.Errorf("putting the old rules back: %w", back))}
	}
	return exit{e.code, errors.Join(slices.Concat(leaves(err), []error{errors.New("the old rules were put back")})...)}
}
