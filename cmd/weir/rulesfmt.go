package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"weir/rules/strict"
)

// maxLaidOut bounds a file that is laid out, in bytes.
const maxLaidOut = 4 << 20

func (a *app) rulesFmtCommand() *cobra.Command {
	var write, check bool
	c := &cobra.Command{
		Use: "fmt [FILE|-]...", Short: "Lay out rules files, or weir.yaml, evenly",
		Long: `Lays out files evenly: two blanks for each level, one after the dash of a list, none at the end of a line, at most one
empty line in a row. It prints the result; with -w it is written into the file, with --check the files that are not even
are named, and the exit code is 1 if there is one.

What a file says never changes, nor does a comment: both are compared before anything is written, and a file of which
that is not sure is left as it is.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if write && check {
				return exit{exitUsage, errors.New("rules fmt: -w and --check exclude each other")}
			}
			if len(args) == 0 {
				path, err := a.rulesFile(nil)
				if err != nil {
					return err
				}
				if path == "" {
					return exit{exitUsage, errors.New("rules fmt: name a file, or - for what comes in")}
				}
				args = []string{path}
			}
			return a.layOutAll(args, write, check)
		},
	}
	c.Flags().BoolVarP(&write, "write", "w", false, "write the result into the file")
	c.Flags().BoolVar(&check, "check", false, "only name the files that are not even")
	return c
}

func (a *app) layOutAll(paths []string, write, check bool) error {
	var all []error
	uneven := false
	for _, path := range paths {
		before, after, err := a.laidOut(path)
		switch same := bytes.Equal(before, after); {
		case err != nil:
			all = append(all, err)
		case check && !same:
			uneven = true
			fmt.Fprintln(a.out, path)
		case check, write && same:
		case write:
			all = append(all, rewrite(path, after))
		default:
			_, err := a.out.Write(after)
			all = append(all, err)
		}
	}
	if err := errors.Join(all...); err != nil || !uneven {
		return err
	}
	return exit{code: exitNo}
}

// laidOut is what a file, or for - the input, holds, and that laid out.
func (a *app) laidOut(path string) (before, after []byte, err error) {
	in := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, nil, exit{exitNoInput, err}
		}
		defer file.Close()
		in = file
	}
	before, err = io.ReadAll(io.LimitReader(in, maxLaidOut+1))
	if err != nil {
		return nil, nil, exit{exitNoInput, fmt.Errorf("reading %s: %w", path, err)}
	}
	if len(before) > maxLaidOut {
		return nil, nil, exit{exitData, fmt.Errorf("%s is larger than %s", path, strict.Size(maxLaidOut))}
	}
	after, err = strict.Layout(before, path)
	if err != nil {
		return nil, nil, exit{exitConfig, err}
	}
	return before, after, nil
}

// rewrite puts text in place of what a file holds, all at once: a reload reads the old text or the new.
func rewrite(path string, text []byte) error {
	if path == "-" {
		return exit{exitUsage, errors.New("rules fmt: -w needs a file")}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return exit{exitNoInput, err}
	}
	info, err := os.Stat(real)
	if err != nil {
		return exit{exitNoInput, err}
	}
	beside, err := os.CreateTemp(filepath.Dir(real), ".weir-fmt-*")
	if err != nil {
		return exit{exitIO, fmt.Errorf("writing %s: %w", path, err)}
	}
	defer os.Remove(beside.Name()) // it is gone if all went well
	defer beside.Close()
	steps := []func() error{
		func() error { _, err := beside.Write(text); return err },
		func() error { return beside.Chmod(info.Mode().Perm()) },
		func() error { return keepOwner(beside, info) },
		beside.Sync,
		func() error { return os.Rename(beside.Name(), real) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return exit{exitIO, fmt.Errorf("writing %s: %w", path, err)}
		}
	}
	return nil
}

// keepOwner gives a file the owner that another has, so that whoever could read that can read it.
func keepOwner(file *os.File, as os.FileInfo) error {
	own, err := file.Stat()
	if err != nil {
		return err
	}
	is, known := own.Sys().(*syscall.Stat_t)
	wanted, ok := as.Sys().(*syscall.Stat_t)
	if !known || !ok || is.Uid == wanted.Uid && is.Gid == wanted.Gid {
		return nil
	}
	return file.Chown(int(wanted.Uid), int(wanted.Gid))
}
