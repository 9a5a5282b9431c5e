package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"weir/scoring/verdictlog"
)

// secretFile finds the files that a configuration or rules take secrets from.
var secretFile = regexp.MustCompile(`\$\{file:([^}]+)\}`)

// files sees whether weir can write what it keeps, and others cannot read what is secret.
func (d *Visit) files(context.Context) []Finding {
	var found []Finding
	if d.Config.TLS.Key != "" {
		found = append(found, secret(d.Config.TLS.Key))
	}
	for _, file := range []string{d.File, d.Config.Rules} {
		text, _ := os.ReadFile(file) // has been read before, or is built in
		for _, named := range secretFile.FindAllSubmatch(text, -1) {
			found = append(found, secret(string(named[1])))
		}
	}
	if dir := d.Config.Verdicts.Dir; dir != "" {
		found = append(found, writable("verdicts.dir", dir), d.space(dir))
	}
	if file := d.Config.Store.Memory.Snapshot; file != "" {
		found = append(found, writable("store.memory.snapshot", filepath.Dir(file)))
	}
	return found
}

// secret sees whether a file with a secret can be read by us, and by us alone.
func secret(file string) Finding {
	one := Finding{Check: "secret", Of: file, State: Sound, Seen: "others cannot read it"}
	open, err := os.Open(file)
	if err != nil {
		one.State, one.Seen, one.Change = Ill, err.Error(), "let the user that weir runs as read it"
		return one
	}
	defer open.Close()
	switch info, err := open.Stat(); {
	case err != nil:
		return unknownYet(one.Check, file, err)
	case info.Mode().Perm()&0o004 != 0:
		one.State, one.Seen, one.Change = Ill, fmt.Sprintf("everybody on this machine can read it (%s)", info.Mode()), "chmod o-rwx "+file
	case info.Mode().Perm()&0o022 != 0:
		one.State, one.Seen, one.Change = Doubtful, fmt.Sprintf("others can change it (%s)", info.Mode()), "chmod go-w "+file
	}
	return one
}

// writable sees whether files can be made in a folder, or the folder itself.
func writable(check, dir string) Finding {
	one := Finding{Check: check, Of: dir, State: Sound, Seen: "it can be written to"}
	info, err := os.Stat(dir)
	for ; errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); info, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
		one.Seen = "it is not there yet, and can be made"
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", dir)
	}
	if err == nil {
		err = tryWriting(dir)
	}
	if err != nil {
		one.State, one.Seen, one.Change = Ill, err.Error(), "make the folder, and let the user that weir runs as write to it (ask the doctor as that user)"
	}
	return one
}

func tryWriting(dir string) error {
	f, err := os.CreateTemp(dir, ".weir-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// littleSpace is what a folder needs so that weir can write for an hour or two.
const littleSpace = 256 << 20

// space sees whether what verdicts may take up is there.
func (d *Visit) space(dir string) Finding {
	const check = "disk space"
	var disk syscall.Statfs_t
	err := syscall.Statfs(dir, &disk)
	for ; errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); err = syscall.Statfs(dir, &disk) {
		dir = filepath.Dir(dir)
	}
	if err != nil {
		return unknownYet(check, dir, err)
	}
	wanted := int64(d.Config.Verdicts.MaxSize) - sizeOf(dir)
	if b := d.Config.Verdicts.Bodies; b.Keeps() {
		wanted += int64(b.Max) - sizeOf(verdictlog.Bodies(dir))
	}
	return spaceFor(dir, int64(disk.Bavail)*int64(disk.Bsize), wanted)
}

// spaceFor compares what is free with what may still be written.
func spaceFor(dir string, free, wanted int64) Finding {
	one := Finding{Check: "disk space", Of: dir, State: Sound, Seen: fmt.Sprintf("%d MiB are free", free>>20)}
	switch {
	case free < littleSpace:
		one.State = Ill
	case free < wanted:
		one.State, one.Seen = Doubtful, fmt.Sprintf("%d MiB are free, and verdicts may take up %d MiB more", free>>20, wanted>>20)
	}
	if one.State != Sound {
		one.Change = "make room, or lower verdicts.max_size and verdicts.bodies.max"
	}
	return one
}

// sizeOf is the size of the files in a folder.
func sizeOf(dir string) (n int64) {
	entries, _ := os.ReadDir(dir) // of one that is not there it is nothing
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
	}
	return n
}

// What a session may have open at once: its client, a server behind, a spooled message and a question to the DNS. And what
// weir has open beside.
const (
	filesPerSession = 4
	filesBeside     = 100
)

// descriptors sees whether as many files and connections may be open as sessions may need.
func (d *Visit) descriptors(context.Context) []Finding {
	const check = "open files"
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return []Finding{unknownYet(check, "", err)}
	}
	needed := uint64(d.Config.Limits.Sessions)*filesPerSession + filesBeside
	one := Finding{Check: check, State: Sound, Seen: fmt.Sprintf("this user may open %d, and %d sessions need up to %d", limit.Cur, d.Config.Limits.Sessions, needed)}
	if uint64(limit.Cur) < needed { //nolint:unconvert // signed on some systems
		one.State = Doubtful
		one.Change = fmt.Sprintf("raise the limit (systemd: LimitNOFILE=%d), or lower limits.sessions: without one a client is told 421", needed)
	}
	return []Finding{one}
}

// What a clock may be off by, and the time before which this program was not made.
const (
	clockStep   = time.Second // that it may be set by while the doctor looks
	clockFuture = time.Minute // that files may come from the future
	madeIn      = 2026
)

// clock sees whether the time of day can be believed: it stands in records, and signatures and counts end by it.
func (d *Visit) clock() []Finding {
	one := judgeClock(d.began, time.Now(), newestOf(d.File, d.Config.Rules, d.Config.Verdicts.Dir, d.Config.TLS.Cert))
	if one.State == Sound && clockRunsFree() {
		one.State, one.Seen = Doubtful, "the kernel says that nothing keeps the clock right"
		one.Change = "run a time service (chrony, systemd-timesyncd)"
	}
	return []Finding{one}
}

// judgeClock compares the time of day with what passed since began, and with when files were written.
func judgeClock(began, now, written time.Time) Finding {
	one := Finding{Check: "clock", State: Ill, Change: "set the clock, and run a time service (chrony, systemd-timesyncd)"}
	step := now.Round(0).Sub(began.Round(0)) - now.Sub(began) // without and with the monotonic reading
	switch {
	case now.Year() < madeIn:
		one.Seen = "it says " + now.UTC().Format(time.RFC3339) + ", which is before this program was made"
	case written.Sub(now) > clockFuture:
		one.Seen = fmt.Sprintf("it says %s, and files were written at %s", now.UTC().Format(time.RFC3339), written.UTC().Format(time.RFC3339))
	case step.Abs() > clockStep:
		one.State, one.Seen = Doubtful, fmt.Sprintf("it was set by %s while the doctor looked", step.Round(time.Millisecond))
	default:
		one.State, one.Seen, one.Change = Sound, now.UTC().Format(time.RFC3339), ""
	}
	return one
}

// newestOf is when the latest of some files was written.
func newestOf(files ...string) (newest time.Time) {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest
}
