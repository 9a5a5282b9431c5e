package mime

// Visible is what a reader sees of a message.
type Visible struct {
	Text     string   // of all text parts, lines ended by LF; valid UTF-8
	URLs     []URL    // distinct, in order
	Hidden   int      // bytes of HTML text that are hidden from the reader
	Skeleton []string // the names of HTML elements in order
	Oddities []Oddity // found while decoding
}

// URL is a link.
type URL struct {
	Raw    string // as written
	Scheme string // "http", "https" or "ftp"
	Host   string // in lower case, international names in ASCII, without user and port
	Path   string // with query, percent-encoding taken away
	Text   string // what the reader sees of an HTML link
}

// Visible decodes and reads all text parts.
func (d *Document) Visible() *Visible {
	v := &Visible{}
	for _, p := range d.Leaves() {
		t, _ := toUTF8(p.Decoded(), p.Charset)
		v.Text += t
	}
	return v
}
