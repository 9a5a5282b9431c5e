package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
)

// initFiles are the files of `config init`. Only the words of its flags are filled in: rules have templates of their own.
//
//go:embed init
var initFiles embed.FS

type initFlags struct {
	backend, domain, dir string
}

func (a *app) configInitCommand() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use: "init --backend ADDR --domain DOMAIN", Short: "Write weir.yaml and rules.yaml to begin with", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := f.check(); err != nil {
				return exit{exitUsage, err}
			}
			return a.configInit(f)
		},
	}
	c.Flags().StringVar(&f.backend, "backend", "", "the mail server at `ADDR`")
	c.Flags().StringVar(&f.domain, "domain", "", "the domain whose mail is taken")
	c.Flags().StringVar(&f.dir, "dir", ".", "write into `DIR`")
	return c
}

func (f initFlags) check() error {
	var all []error
	if !config.IsTarget(f.backend) {
		all = append(all, fmt.Errorf("--backend %q: want HOST:PORT", f.backend))
	}
	if !config.IsHostname(f.domain) {
		all = append(all, fmt.Errorf("--domain %q: want a domain", f.domain))
	}
	return errors.Join(all...)
}

// configInit writes both files, or none if one of them is there already.
func (a *app) configInit(f initFlags) error {
	host := config.Machine()
	if !strings.Contains(host, ".") {
		host = "mx." + f.domain
	}
	fill := strings.NewReplacer("{{ .Hostname }}", host, "{{ .Domain }}", f.domain, "{{ .Backend }}", f.backend)
	names := []string{"weir.yaml", "rules.yaml"}
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(f.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return exit{exitIO, fmt.Errorf("%s is there already", filepath.Join(f.dir, name))}
		}
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return exit{exitIO, err}
	}
	for _, name := range names {
		text, err := initFiles.ReadFile("init/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(fill.Replace(string(text))), 0o644); err != nil {
			return exit{exitIO, err}
		}
	}
	path := filepath.Join(f.dir, names[0])
	a.say("wrote %s and rules.yaml\n  check them: weir config test -c %s\n  try them:   weir serve -c %s --shadow", path, path, path)
	return nil
}
