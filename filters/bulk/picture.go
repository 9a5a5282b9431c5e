package bulk

import (
	"bytes"
	"image"
	_ "image/gif"  // decoders for image.Decode
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
	"math"

	"weir/filters/store"
)

// Bounds of a picture that is looked at. A smaller one is a logo or a tracking pixel.
const (
	leastPixels = 30_000
	mostPixels  = 4_000_000
	mostEncoded = 2 << 20 // bytes
)

// side is the width and height to which a picture is reduced; low the part of its spectrum that is kept.
const (
	side = 32
	low  = 16
)

// looksOf decodes data and returns how the picture looks, as it is and without its frame if it has one: whether a low
// frequency of its light is there or its opposite, 255 signs that noise, scaling and compression leave alone. It returns
// nothing if data is no picture or beyond the bounds.
func looksOf(data []byte) []store.Point {
	if len(data) > mostEncoded {
		return nil
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || c.Width < side || c.Height < side || c.Width > mostPixels/c.Height || c.Width*c.Height < leastPixels {
		return nil
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	g := greyOf(img)
	whole, inner := image.Rect(0, 0, g.width, g.height), g.inner()
	looks := []store.Point{spectrum(g.reduced(whole))}
	if inner != whole {
		looks = append(looks, spectrum(g.reduced(inner)))
	}
	return looks
}

// grey is a picture's luminance, row by row, 0 to 255.
type grey struct {
	pix           []uint8
	width, height int
}

func greyOf(img image.Image) grey {
	b := img.Bounds()
	g := grey{make([]uint8, b.Dx()*b.Dy()), b.Dx(), b.Dy()}
	switch img := img.(type) {
	case *image.YCbCr:
		for y := range g.height {
			copy(g.pix[y*g.width:(y+1)*g.width], img.Y[img.YOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.Gray:
		for y := range g.height {
			copy(g.pix[y*g.width:(y+1)*g.width], img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.Paletted:
		var lum [256]uint8
		for i, c := range img.Palette[:min(len(img.Palette), 256)] {
			lum[i] = luminance(c.RGBA())
		}
		for y := range g.height {
			for x, i := range img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):][:g.width] {
				g.pix[y*g.width+x] = lum[i]
			}
		}
	default:
		for y := range g.height {
			for x := range g.width {
				g.pix[y*g.width+x] = luminance(img.At(b.Min.X+x, b.Min.Y+y).RGBA())
			}
		}
	}
	return g
}

// luminance is that of a colour with premultiplied alpha, on white paper.
func luminance(r, g, b, a uint32) uint8 {
	return uint8((299*r+587*g+114*b)/1000>>8 + (0xffff-a)>>8)
}

// inner returns the part of g inside a frame of one colour, if it has one, looked for on each side alone.
func (g grey) inner() image.Rectangle {
	row := func(y, x int) int { return int(g.pix[y*g.width+x]) }
	w, h := g.width-1, g.height-1
	return image.Rect(
		frame(g.width, g.height, func(i, j int) int { return row(j, i) }),
		frame(g.height, g.width, row),
		g.width-frame(g.width, g.height, func(i, j int) int { return row(j, w-i) }),
		g.height-frame(g.height, g.width, func(i, j int) int { return row(h-i, j) }),
	)
}

// frame returns how many lines from the edge on are of one colour and end at a step. at(i, j) is the pixel j, of
// length, of the line i, of depth. A slow change of colour is no frame.
func frame(depth, length int, at func(i, j int) int) int {
	const (
		plain = 12 // how far a pixel of one colour may be from the mean
		step  = 9  // how far the picture inside is from the frame, at least, in the mean
		blur  = 2  // lines that compression blurs
	)
	first := 0
	for j := range length {
		first += at(0, j)
	}
	first /= length
	for i := range depth / 6 {
		far, off := 0, 0
		for j := range length {
			d := at(i, j) - first
			d = max(d, -d)
			off += d
			if d > plain {
				far++
			}
		}
		switch {
		case far*12 <= length:
		case i > 0 && off >= step*length:
			return min(i+blur, depth/6)
		default:
			return 0
		}
	}
	return 0
}

// reduced returns the part r of g as side times side means.
func (g grey) reduced(r image.Rectangle) [side * side]float64 {
	var out [side * side]float64
	for j := range side {
		top, bottom := r.Min.Y+j*r.Dy()/side, r.Min.Y+(j+1)*r.Dy()/side
		for i := range side {
			left, right := r.Min.X+i*r.Dx()/side, r.Min.X+(i+1)*r.Dx()/side
			sum := 0
			for y := top; y < bottom; y++ {
				for _, v := range g.pix[y*g.width+left : y*g.width+right] {
					sum += int(v)
				}
			}
			out[j*side+i] = float64(sum) / float64(max(1, (bottom-top)*(right-left)))
		}
	}
	return out
}

// spectrum is the signs of the discrete cosine transform of p at low frequencies, without the mean.
func spectrum(p [side * side]float64) store.Point {
	var cosine [low][side]float64
	for u := range low {
		for x := range side {
			cosine[u][x] = math.Cos(math.Pi * float64(u) * (float64(x) + .5) / side)
		}
	}
	var rows [side][low]float64
	for y := range side {
		for u := range low {
			for x := range side {
				rows[y][u] += p[y*side+x] * cosine[u][x]
			}
		}
	}
	var out store.Point
	for i := 1; i < low*low; i++ {
		sum := 0.0
		for y := range side {
			sum += rows[y][i%low] * cosine[i/low][y]
		}
		if sum > 0 {
			out[i/64] |= 1 << (i % 64)
		}
	}
	return out
}
