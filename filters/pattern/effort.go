package pattern

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	// probed is the size of texts that are read at once, in bytes; longer ones are first read by pieces of probe bytes, since
	// a pass cannot be broken off. The pieces overlap, so that what matches lies in one of them.
	probed  = 16 << 10
	probe   = 8 << 10
	overlap = 1 << 10

	// effort is how much CPU a set may take to read a text by pieces, several times of what an ordinary text of the largest
	// size takes. A set that has read less than warm bytes does not know its states yet, and may take cold times as much: most
	// of what it does then it never does again.
	effort = 75 * time.Millisecond
	cold   = 4
	warm   = 1 << 20
)

// tooSlow says that of a text some expressions were looked for in its beginning alone: it is made so that a set needs
// ever new states for it.
type tooSlow struct{ read, of int }

func (e *tooSlow) Error() string {
	return fmt.Sprintf("a text of %d bytes takes too long: some of the expressions have read its first %d bytes alone", e.of, e.read)
}

// readBy is the members of the set that a text may match. If they are too slow for it, those that its beginning may match,
// and how far that goes; else read is its length and sure holds: the set has read it whole. failed is an error of the set.
func (s *set) readBy(ctx context.Context, text string) (found []int, read int, failed error) {
	if len(text) > probed {
		found, read, failed = s.pieces(ctx, text)
		if read < len(text) || failed != nil {
			return found, read, failed
		}
	}
	found, failed = s.compiled.FindAllStringWithError(text, -1)
	s.read.Add(int64(len(text)))
	return found, len(text), failed
}

// pieces reads a text by pieces, as far as the effort goes. What is found may match the text; what holds at the ends of a
// piece need not.
func (s *set) pieces(ctx context.Context, text string) (found []int, read int, failed error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	seen := map[int]bool{}
	most := s.effort
	if s.read.Load() < warm {
		most *= cold
	}
	began := threadTime()
	for read < len(text) {
		if ctx.Err() != nil || threadTime()-began > most {
			return found, read, nil
		}
		end := atRune(text, min(read+probe, len(text)))
		some, err := s.compiled.FindAllStringWithError(text[atRune(text, max(read-overlap, 0)):end], -1)
		if err != nil {
			return nil, len(text), err
		}
		for _, n := range some {
			if !seen[n] {
				seen[n] = true
				found = append(found, n)
			}
		}
		s.read.Add(int64(end - read))
		read = end
	}
	return found, read, nil
}

// atRune is at, or where the letter begins in which it lies.
func atRune(text string, at int) int {
	for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}

// threadTime is how much CPU the thread has used, so that a busy machine does not make texts look slow. The caller holds
// the thread.
func threadTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &used); err != nil {
		panic(err) // cannot happen: the thread exists
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
