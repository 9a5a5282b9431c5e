package bodies

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// A segment is messages, each a head and the compressed bytes, and when it is full its contents: an entry for each
// message, and a tail. Numbers are little-endian.
//
//	head  magic[4] id[26] stored[4] size[4] check[4] sum[4]
//	entry id[26] at[4]
//	tail  magic[4] entries[4] sum of the entries[4] sum[4]
//
// Sums are CRC-32C: check of the compressed bytes, sum of what stands before it in the head or tail.
const (
	idLen    = 26
	headLen  = 4 + idLen + 4*4
	entryLen = idLen + 4
	tailLen  = 4 * 4

	maxBody = 128 << 20 // bytes of one message
)

var (
	headMagic = []byte("wMsg")
	tailMagic = []byte("wEnd")
)

// errBroken means that there is no message where one should be.
var errBroken = errors.New("what was kept is broken")

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// head is what stands before a message.
type head struct {
	id           string // "" once it is forgotten
	stored, size uint32 // bytes as they lie there, and of the message
	check        uint32
}

func (h head) append(b []byte) []byte {
	start := len(b)
	b = append(b, headMagic...)
	b = append(b, padded(h.id)...)
	for _, n := range []uint32{h.stored, h.size, h.check} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return binary.LittleEndian.AppendUint32(b, sum(b[start:]))
}

func parseHead(b []byte) (h head, ok bool) {
	if len(b) < headLen || !bytes.HasPrefix(b, headMagic) {
		return h, false
	}
	number := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	const numbers = 4 + idLen
	h = head{unpadded(b[4:numbers]), number(numbers), number(numbers + 4), number(numbers + 8)}
	return h, number(numbers+12) == sum(b[:numbers+12])
}

func padded(id string) []byte {
	b := make([]byte, idLen)
	copy(b, id)
	return b
}

func unpadded(b []byte) string { return string(bytes.TrimRight(b, "\x00")) }

// place is where a message is.
type place struct {
	id      string
	segment int // of those that were listed
	at      uint32
}

// contents appends to places what a segment holds of a size: by its contents, or if it has none by its heads. What follows
// after something broken is passed over.
func contents(file io.ReaderAt, size int64, places []place) []place {
	if all, ok := readContents(file, size, places); ok {
		return all
	}
	b := make([]byte, headLen)
	for at := int64(0); at+headLen <= size; {
		if _, err := file.ReadAt(b, at); err != nil {
			break
		}
		h, ok := parseHead(b)
		if !ok || at+headLen+int64(h.stored) > size {
			break
		}
		if h.id != "" {
			places = append(places, place{id: h.id, at: uint32(at)})
		}
		at += headLen + int64(h.stored)
	}
	return places
}

func readContents(file io.ReaderAt, size int64, places []place) ([]place, bool) {
	tail := make([]byte, tailLen)
	if size < tailLen {
		return places, false
	}
	if _, err := file.ReadAt(tail, size-tailLen); err != nil || !bytes.HasPrefix(tail, tailMagic) || binary.LittleEndian.Uint32(tail[12:]) != sum(tail[:12]) {
		return places, false
	}
	length := int64(binary.LittleEndian.Uint32(tail[4:])) * entryLen
	start := size - tailLen - length
	if start < 0 {
		return places, false
	}
	b := make([]byte, length)
	if _, err := file.ReadAt(b, start); err != nil || binary.LittleEndian.Uint32(tail[8:]) != sum(b) {
		return places, false
	}
	for ; len(b) > 0; b = b[entryLen:] {
		if id := unpadded(b[:idLen]); id != "" {
			places = append(places, place{id: id, at: binary.LittleEndian.Uint32(b[idLen:])})
		}
	}
	return places, true
}

// appendContents appends the contents of a segment.
func appendContents(b []byte, all []place) []byte {
	start := len(b)
	for _, p := range all {
		b = append(b, padded(p.id)...)
		b = binary.LittleEndian.AppendUint32(b, p.at)
	}
	entries := sum(b[start:])
	start = len(b)
	b = append(b, tailMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(all)))
	b = binary.LittleEndian.AppendUint32(b, entries)
	return binary.LittleEndian.AppendUint32(b, sum(b[start:]))
}

// read reads the message at a place. The error wraps errBroken if it is not there, or no longer.
func read(file io.ReaderAt, p place, decoder *zstd.Decoder) ([]byte, error) {
	h, err := readHead(file, p)
	if err != nil {
		return nil, err
	}
	if h.stored > bound(h.size) || h.size > maxBody {
		return nil, errBroken
	}
	stored := make([]byte, h.stored)
	if _, err := file.ReadAt(stored, int64(p.at)+headLen); err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	if sum(stored) != h.check {
		return nil, errBroken
	}
	raw, err := decoder.DecodeAll(stored, make([]byte, 0, h.size))
	if err != nil || len(raw) != int(h.size) {
		return nil, errBroken
	}
	return raw, nil
}

// bound is more than the most bytes that a message of a size takes compressed.
func bound(size uint32) uint32 { return size + size/128 + 1<<10 }

func readHead(file io.ReaderAt, p place) (head, error) {
	b := make([]byte, headLen)
	if _, err := file.ReadAt(b, int64(p.at)); err != nil {
		return head{}, fmt.Errorf("%w: %w", errBroken, err)
	}
	h, ok := parseHead(b)
	if !ok || h.id != p.id {
		return h, errBroken
	}
	return h, nil
}

// erase writes zeros over the message at a place, and then over its name. After a crash between the two it is broken, and
// the name can be erased again.
func erase(file *os.File, p place) error {
	h, err := readHead(file, p)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(make([]byte, h.stored), int64(p.at)+headLen); err != nil {
		return err
	}
	_, err = file.WriteAt(head{stored: h.stored, size: h.size}.append(nil), int64(p.at))
	return err
}
