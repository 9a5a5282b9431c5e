package bulk

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"
	"time"
)

// poster draws a made-up advertisement: a slow change of colour, boxes and rows of strokes, as seed says.
func poster(seed uint64, width, height int) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	from, to := r.IntN(200), r.IntN(200)
	for y := range height {
		for x := range width {
			v := uint8(from + (to-from)*y/height + 20*x/width)
			img.Set(x, y, color.RGBA{v, 255 - v, 120, 255})
		}
	}
	for range 9 {
		x, y, w, h, v := r.Float64()*.8, r.Float64()*.8, .05+r.Float64()*.3, .03+r.Float64()*.15, uint8(r.IntN(256))
		fill(img, x, y, w, h, color.RGBA{v, v / 2, 255 - v, 255})
	}
	return img
}

func fill(img *image.RGBA, x, y, w, h float64, c color.Color) {
	b := img.Bounds()
	for j := int(y * float64(b.Dy())); j < min(b.Dy(), int((y+h)*float64(b.Dy()))); j++ {
		for i := int(x * float64(b.Dx())); i < min(b.Dx(), int((x+w)*float64(b.Dx()))); i++ {
			img.Set(i, j, c)
		}
	}
}

// spoiled puts img in a frame, changes its brightness and scatters specks over it.
func spoiled(img *image.RGBA, r *rand.Rand, frame int) *image.RGBA {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()+2*frame, b.Dy()+2*frame))
	fill(out, 0, 0, 1, 1, color.RGBA{uint8(r.IntN(256)), 255, uint8(r.IntN(256)), 255})
	bright := r.IntN(30)
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := img.RGBAAt(x, y)
			noise := bright + r.IntN(9)
			out.Set(x+frame, y+frame, color.RGBA{uint8(min(255, int(c.R)+noise)), uint8(min(255, int(c.G)+noise)), c.B, 255})
		}
	}
	for range 40 {
		fill(out, r.Float64(), r.Float64(), .01, .01, color.Black)
	}
	return out
}

func asJPEG(t testing.TB, img image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asGIF(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := gif.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withPicture(kind string, data []byte) mail {
	return mail{kind: kind, header: "Content-Transfer-Encoding: base64\r\n", body: base64.StdEncoding.EncodeToString(data)}
}

func TestSpoiledPictures(t *testing.T) {
	s, r := newStream(t, seeded()), rand.New(rand.NewPCG(5, 6))
	campaign := map[uint64]string{}
	for n := 1; n <= 6; n++ {
		for seed := uint64(1); seed <= 4; seed++ {
			img := spoiled(poster(seed, 300+20*n, 220+15*n), r, n%3*6)
			got := s.see(withPicture("image/jpeg", asJPEG(t, img, 40+10*n))).Facts.Bulk
			if got == nil || got.Alike != n || n > 1 && got.Campaign != campaign[seed] {
				t.Errorf("copy %d of poster %d: %+v", n, seed, got)
				continue
			}
			campaign[seed] = got.Campaign
		}
	}
}

func TestPictureFormats(t *testing.T) {
	s := newStream(t, seeded())
	img := poster(9, 320, 240)
	s.see(withPicture("image/jpeg", asJPEG(t, img, 80)))
	s.see(withPicture("image/png", asPNG(t, img)))
	if got := s.see(withPicture("image/gif", asGIF(t, img))).Facts.Bulk; got == nil || got.Alike != 3 {
		t.Errorf("%+v", got)
	}
}

func TestPicturesBeyondTheBounds(t *testing.T) {
	for name, data := range map[string][]byte{
		"a logo":     asPNG(t, poster(1, 180, 60)),
		"a line":     asPNG(t, poster(1, 4000, 10)),
		"too large":  asPNG(t, image.NewGray(image.Rect(0, 0, 2500, 2000))),
		"no picture": []byte("GIF89a and no more"),
		"cut":        asJPEG(t, poster(1, 320, 240), 80)[:700],
	} {
		if looks := looksOf(data); looks != nil {
			t.Errorf("%s is looked at", name)
		}
	}
}

func TestFrameIsTakenOff(t *testing.T) {
	img, r := poster(4, 320, 240), rand.New(rand.NewPCG(7, 8))
	plain, framed := looksOf(asPNG(t, img)), looksOf(asPNG(t, spoiled(img, r, 14)))
	if len(plain) == 0 || len(framed) != 2 {
		t.Fatalf("%d and %d looks", len(plain), len(framed))
	}
	memory := seeded()
	for owner, look := range framed {
		if err := memory.Place(t.Context(), start, time.Hour, uint32(owner+1), look); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := memory.Nearest(t.Context(), start, plain[0]); n.Owner != 2 || n.Distance > samePicture {
		t.Errorf("without its frame the picture is %+v", n)
	}
}

// A logo under a longer text does not count at all.
func TestPictureBesideText(t *testing.T) {
	s := newStream(t, seeded())
	data := base64.StdEncoding.EncodeToString(asPNG(t, poster(2, 320, 240)))
	for name, text := range texts(t, "ordinary") {
		body := fmt.Sprintf("--x\nContent-Type: text/plain; charset=utf-8\n\n%s\n--x\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n%s\n--x--\n", text, data)
		if got := s.see(mail{kind: "multipart/mixed; boundary=x", body: body}).Facts.Bulk; got.Alike != 1 {
			t.Errorf("%s with the logo: %+v", name, got)
		}
	}
}

func FuzzPicture(f *testing.F) {
	small := poster(3, 200, 160)
	f.Add(asJPEG(f, small, 20))
	f.Add(asPNG(f, image.NewGray(image.Rect(0, 0, 200, 160))))
	f.Add(asGIF(f, image.NewPaletted(image.Rect(0, 0, 200, 160), color.Palette{color.Black, color.White})))
	f.Add([]byte("GIF89a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := len(looksOf(data)); n > 2 {
			t.Fatalf("%d looks of one picture", n)
		}
	})
}

func BenchmarkPicture(b *testing.B) {
	data := asJPEG(b, poster(1, 640, 480), 80)
	b.ReportAllocs()
	for b.Loop() {
		looksOf(data)
	}
}
