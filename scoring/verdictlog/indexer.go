package verdictlog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"weir/scoring/verdictlog/index"
)

// bytesARecord is how long a record is, about.
const bytesARecord = 1000

var errClosing = errors.New("the log is being closed") // ends the making of an index

// indexer makes the indexes of files that are full, in a goroutine of its own. A file that has none yet, or for whose
// index the disk had no space, is searched without.
type indexer struct {
	dir     string
	look    chan struct{} // there may be something to do
	trouble chan error    // the last failure, until somebody reads it
	closing <-chan struct{}
	done    chan struct{} // closed when the goroutine has ended
}

func newIndexer(dir string, closing <-chan struct{}) *indexer {
	x := &indexer{dir: dir, look: make(chan struct{}, 1), trouble: make(chan error, 1), closing: closing, done: make(chan struct{})}
	x.again()
	return x
}

// again makes it look for files without an index. It never blocks.
func (x *indexer) again() {
	select {
	case x.look <- struct{}{}:
	default:
	}
}

func (x *indexer) run() {
	defer close(x.done)
	atStart := true
	for {
		select {
		case <-x.look:
		case <-x.closing:
			return
		}
		if err := x.catchUp(atStart); err != nil && !errors.Is(err, errClosing) {
			select {
			case x.trouble <- err:
			default:
			}
		}
		atStart = false
	}
}

// catchUp indexes all files but the newest, which is still written, the newest first. At the start it looks at all that
// an end of the machine may have left. It takes half of the time of a processor at most.
func (x *indexer) catchUp(atStart bool) error {
	parts, err := list(x.dir)
	if err != nil || len(parts) == 0 {
		return err
	}
	if atStart {
		if err := sweep(x.dir, parts); err != nil {
			return err
		}
	}
	for _, p := range slices.Backward(parts[:len(parts)-1]) {
		began := time.Now()
		made, err := x.ensure(p, atStart)
		if err != nil {
			return err
		}
		if !made {
			continue
		}
		rest := time.NewTimer(time.Since(began))
		select {
		case <-rest.C:
		case <-x.closing:
			rest.Stop()
			return errClosing
		}
	}
	return nil
}

// sweep removes indexes whose file is gone, and those that were never finished.
func sweep(dir string, parts []part) error {
	all, err := filepath.Glob(filepath.Join(dir, filePrefix+"*"+idxSuffix+"*"))
	if err != nil {
		return err
	}
	for _, name := range all {
		isIndexOf := func(p part) bool { return p.indexName() == filepath.Base(name) }
		if slices.ContainsFunc(parts, isIndexOf) {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an index of nothing: %w", err)
		}
	}
	return nil
}

// ensure makes the index of p unless there is a good one.
func (x *indexer) ensure(p part, verify bool) (made bool, err error) {
	file, err := os.Open(filepath.Join(x.dir, p.name()))
	if err != nil {
		return false, nil // gone meanwhile, or nothing that can be read
	}
	defer file.Close()
	if f := openIndex(x.dir, p, file); f != nil {
		good := !verify || f.Verify() == nil
		f.Close()
		if good {
			return false, nil
		}
	}
	return true, makeIndex(x.dir, p, file, func() error {
		select {
		case <-x.closing:
			return errClosing
		default:
			return nil
		}
	})
}

// makeIndex makes the index of p, whose file is open, beside it. ended may end it with an error.
func makeIndex(dir string, p part, file *os.File, ended func() error) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("indexing the verdict log: %w", err)
	}
	b := index.NewBuilder(int(info.Size()/bytesARecord), int(textFields))
	of := index.Source{Size: info.Size(), Changed: info.ModTime().UnixNano()}
	if err := gather(b, &of, file, ended); err != nil {
		return err
	}
	name := filepath.Join(dir, p.indexName())
	if err := writeWhole(name, info, func(w io.Writer) error { return b.Write(w, of) }); err != nil {
		return fmt.Errorf("indexing the verdict log: %w", err)
	}
	return nil
}

// gather adds the records of a file to b, and to of when they were.
func gather(b *index.Builder, of *index.Source, file io.Reader, ended func() error) error {
	in := newLines(io.LimitReader(file, of.Size))
	add := func(line []byte) {
		r, err := ReadRecord(line)
		if err != nil {
			return
		}
		at := r.Time.UnixMicro()
		if of.First == 0 || at < of.First {
			of.First = at
		}
		of.Last = max(cmp.Or(of.Last, at), at)
		b.Next(in.start)
		addTo(b, r)
	}
	for n := 1; ; n++ {
		if n%often == 0 {
			if err := ended(); err != nil {
				return err
			}
		}
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			add(in.rest())
			return nil
		}
		if err != nil {
			return fmt.Errorf("indexing the verdict log: %w", err)
		}
		add(line)
	}
}

// writeWhole makes a file that is there as a whole or not at all, also after the machine has failed. Whose it is and who
// may read it is as with another.
func writeWhole(name string, like os.FileInfo, write func(io.Writer) error) error {
	file, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, like.Mode().Perm())
	if err != nil {
		return err
	}
	if whose, ok := like.Sys().(*syscall.Stat_t); ok && int(whose.Uid) != os.Geteuid() {
		err = file.Chown(int(whose.Uid), int(whose.Gid))
	}
	if err == nil {
		err = write(file)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}
