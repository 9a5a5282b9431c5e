package verdictlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Sought is what a generation of rules looks for in messages: whatever is in it and not in a record's facts was not
// true of that message. It is kept beside the log, once for all records with its digest.
type Sought struct {
	Digest   string            `json:"digest"`             // as in RulesID
	Version  string            `json:"version"`            // as in Origin: another one may have other checks
	Symbols  map[string]string `json:"symbols"`            // as of rules.Set.Sought; "" for those of checks that no rule describes
	Features []string          `json:"features,omitempty"` // what facts hold besides symbols, as of rules.FeatureNames
}

const (
	soughtPrefix = "rules-"
	soughtSuffix = ".json"
	soughtBytes  = 12   // of a digest, in the name of the file
	maxSought    = 1000 // files; of more, the oldest are removed
)

// soughtName is the file of what is looked for under a digest by a version of the program.
func soughtName(digest, version string) string {
	sum := sha256.Sum256([]byte(digest + " " + version))
	return soughtPrefix + hex.EncodeToString(sum[:soughtBytes]) + soughtSuffix
}

// KeepSought writes s beside the log in dir, so that `weir replay` can tell what was looked for under its digest.
func KeepSought(dir string, s Sought) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing what the rules look for: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("writing what the rules look for: %w", err)
	}
	name := filepath.Join(dir, soughtName(s.Digest, s.Version))
	if err := os.WriteFile(name+".new", text, 0o640); err != nil {
		return fmt.Errorf("writing what the rules look for: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("writing what the rules look for: %w", err)
	}
	return forgetSought(dir)
}

// forgetSought removes the oldest files beyond maxSought.
func forgetSought(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, soughtPrefix+"*"+soughtSuffix))
	if err != nil || len(names) <= maxSought {
		return err
	}
	written := map[string]int64{}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			written[name] = info.ModTime().UnixNano()
		}
	}
	oldest := slices.SortedFunc(maps.Keys(written), func(a, b string) int { return int(written[a] - written[b]) })
	for _, name := range oldest[:max(0, len(oldest)-maxSought)] {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// FindSought returns what a version of the program looked for under the rules with the given digest. The error wraps
// fs.ErrNotExist if that is not kept in dir.
func FindSought(dir, digest, version string) (Sought, error) {
	var s Sought
	text, err := os.ReadFile(filepath.Join(dir, soughtName(digest, version)))
	if err != nil {
		return s, fmt.Errorf("reading what the rules looked for: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading what the rules looked for: %w", err)
	}
	return s, nil
}
