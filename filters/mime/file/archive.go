package file

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
)

// isEncrypted is the bit of a zip member's flags that says it needs a password.
const isEncrypted = 1

var (
	localHeader   = []byte("PK\x03\x04")
	centralHeader = []byte("PK\x01\x02")
)

// OpenZip reads the directory of a zip, whatever its members are called; false for what is none, and for one whose directory
// would take much more memory than itself.
func OpenZip(data []byte) (*zip.Reader, bool) {
	if bytes.Count(data, centralHeader) > maxDirEntry {
		return nil, false
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	return r, err == nil || errors.Is(err, zip.ErrInsecurePath)
}

// zip reads the names in a zip, and of each member the first bytes.
func (l *look) zip(data []byte, prefix string, depth int) {
	r, ok := OpenZip(data)
	if !ok {
		l.More = true
		l.localHeaders(data, prefix)
		return
	}
	for _, f := range r.File {
		encrypted := f.Flags&isEncrypted != 0
		l.Encrypted = l.Encrypted || encrypted
		at := len(l.Members)
		if !l.add(prefix, f.Name, "") {
			return
		}
		if encrypted || f.FileInfo().IsDir() {
			continue
		}
		if member, err := f.Open(); err == nil {
			l.member(at, member, int64(f.CompressedSize64), depth)
			member.Close()
		}
	}
}

// localHeaders takes the names from the headers of members, as programs do that mend a zip.
func (l *look) localHeaders(data []byte, prefix string) {
	const fixed = 30 // bytes before the name
	for {
		i := bytes.Index(data, localHeader)
		if i < 0 || len(data)-i < fixed {
			return
		}
		data = data[i:]
		flags, length := binary.LittleEndian.Uint16(data[6:]), int(binary.LittleEndian.Uint16(data[26:]))
		l.Encrypted = l.Encrypted || flags&isEncrypted != 0
		if !l.add(prefix, string(data[fixed:min(fixed+length, len(data))]), "") {
			return
		}
		data = data[len(localHeader):]
	}
}

// gzip looks at the one file in a gzip, which often is a tar.
func (l *look) gzip(data []byte, prefix string, depth int) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		l.More = true
		return
	}
	at := len(l.Members)
	named := r.Name != ""
	if named && !l.add(prefix, r.Name, "") {
		return
	}
	head, rest := l.peek(r, int64(len(data)))
	switch kind := KindOf(head); {
	case kind == Tar:
		l.tar(rest, prefix, depth)
	case named:
		l.Members[at].Kind = kind
		l.inner(at, kind, rest, depth)
	default:
		if kind != "" && l.add(prefix, "content", kind) {
			l.inner(at, kind, rest, depth)
		}
	}
}

// tar reads the names in a tar, and of each member the first bytes.
func (l *look) tar(r io.Reader, prefix string, depth int) {
	all := tar.NewReader(r)
	for {
		h, err := all.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			l.More = true
			return
		}
		at := len(l.Members)
		if !l.add(prefix, h.Name, "") {
			return
		}
		if h.Typeflag == tar.TypeReg {
			l.member(at, all, h.Size, depth)
		}
	}
}

// member says what member number at is, of which r is the content and packed the size in the archive.
func (l *look) member(at int, r io.Reader, packed int64, depth int) {
	head, rest := l.peek(r, packed)
	l.Members[at].Kind = KindOf(head)
	l.inner(at, l.Members[at].Kind, rest, depth)
}

// inner looks into member number at if it is an archive and not too deep, or a document.
func (l *look) inner(at int, kind string, r io.Reader, depth int) {
	switch kind {
	case Zip, Gzip, Tar, Office:
	default:
		return
	}
	if depth+1 >= maxOpened {
		l.More = l.More || kind != Office
		return
	}
	data, err := io.ReadAll(r)
	if err != nil {
		l.More = true
	}
	l.file(data, l.Members[at].Name+"/", depth+1)
}

// peek reads the first bytes of r, and returns them with a reader of the whole. Both are bounded by what may still be
// unpacked, and by how much may come of packed bytes.
func (l *look) peek(r io.Reader, packed int64) (head []byte, whole io.Reader) {
	bounded := &meter{r: r, look: l, left: (packed + 1) * maxRatio}
	head = make([]byte, opening)
	n, _ := io.ReadFull(bounded, head)
	head = head[:n]
	return head, io.MultiReader(bytes.NewReader(head), bounded)
}

// meter counts what is read of r against the budget of a look.
type meter struct {
	r    io.Reader
	look *look
	left int64
}

// Read implements io.Reader. Where a bound is reached the content ends, and the look says that there is more.
func (m *meter) Read(b []byte) (int, error) {
	room := min(m.left, m.look.budget)
	if room <= 0 {
		m.look.More = true
		return 0, io.EOF
	}
	n, err := m.r.Read(b[:min(int64(len(b)), room)])
	m.left -= int64(n)
	m.look.budget -= int64(n)
	return n, err
}
