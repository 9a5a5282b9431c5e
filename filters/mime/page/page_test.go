package page

import (
	"strings"
	"testing"
)

func seen(src string) string {
	text, _ := newPage([]byte(src), &Links{}).visible()
	return strings.TrimSpace(string(text))
}

// lookAt is what a style attribute says.
func lookAt(css string) look {
	s := styleOf(plainCSS(css, true))
	return s.normal.under(s.strong)
}

func TestGone(t *testing.T) {
	for css, gone := range map[string]bool{
		"display:none": true, "DISPLAY : NONE !important": true, "display:none;display:block": false, "display:/**/none": true,
		"display:block!important;display:none": false, "display:none !ie": false, `d\69splay:none`: true, `display:none;disp\6c ay:block`: false,
		"font-family:';display:none;'": false, "x:(;display:none;)": false, "x:{;display:none;}": false, "background:url(x;display:none;y)": false,
		"opacity:0": true, "opacity:.01": true, "opacity:0%": true, "opacity:5%": true, "opacity:6%": false, "opacity:1": false, "opacity:0.5": false, "opacity:x": false, "opacity:0x": false,
		"max-height:0": false, "max-height:0px;overflow:hidden": true, "max-height:10px;overflow:hidden": false, "max-height:0q;overflow:hidden": false,
		"height:0": false, "height:0;overflow:hidden": true, "width:0;overflow:hidden": true, "overflow:hidden": false,
		"left:-9999px": false, "position:absolute;left:-9999px": true, "position:absolute;left:-5px": false, "position:fixed;top:-100em": true,
		"position:absolute;left:-9999px;left:0": false, "position:absolute;left:-9999px;top:0": true,
		"margin:0 0 0 -5000px": true, "margin:0 auto": false, "margin:-999px 0 0": true, "margin:0 -999px 0 0": false, "margin-left:-999px": true,
		"transform:translate(-999px,0)": true, "transform:scale(0)": true, "transform:scale(0.5)": false,
		"clip:rect(0,0,0,0)": false, "position:absolute;clip:rect(0 0 0 0)": true, "clip-path:inset(50%)": true, "width:0": false, ":;;x": false,
		"clip-path:circle(0)": true, "clip-path:circle(10px)": false, "clip-path:ellipse(0px 0px)": true, "clip-path:polygon(0 0, 0px 0, 0 0)": true,
		"clip-path:polygon(0 0, 9px 0, 9px 9px)": false, "clip-path:none": false, "filter:opacity(0)": true, "filter:blur(0) opacity(1%)": true,
		"filter:opacity(0.5)": false, "filter:blur(0)": false, "transform:scaleX(0)": true, "transform:rotate(3deg) scaleY(.001)": true,
		"transform:scale3d(0,0,0)": true, "transform:scale3d(1,1,0)": false, "transform:scale(1,0)": true, "transform:scaleX(1)": false,
		"transform:matrix(0,0,0,0,0,0)": true, "transform:matrix(1,0,0,1,0,0)": false, "transform:rotateY(90deg)": true, "transform:rotateY(9deg)": false,
		"transform:translateX(-9999px)": true, "position:fixed;left:200vw": true, "position:fixed;left:50vw": false, "position:fixed;top:9999px": true,
		"position:absolute;top:9999px": false, "position:fixed;inset:-9999px auto auto 0": true, "position:fixed;inset:0": false,
		"position:fixed;inset:0 0 0 -999px": true, "position:fixed;inset:0 5000px": true, "height:1px;overflow:hidden": true, "height:20px;overflow:hidden": false,
	} {
		if got := lookAt(css).gone(true); got != gone {
			t.Errorf("%s: gone %v", css, got)
		}
	}
	for _, css := range []string{"max-height:0;overflow:hidden", "transform:scale(0)", "margin-top:-999px"} {
		if lookAt(css).gone(false) {
			t.Errorf("%s: an inline element is gone", css)
		}
	}
	for css, small := range map[string]bool{
		"font-size:0": true, "font-size:1px": true, "font-size:0.1em": true, "font-size:1%": true, "font-size:12px": false, "font-size:small": false,
		"font:0/0 arial": true, "font:bold 1px arial": true, "font:700 14px/20px arial": false, "font:italic": false, "font-size:0;font-size:9px": false,
	} {
		if got := lookAt(css).on&tiny != 0; got != small {
			t.Errorf("%s: tiny %v", css, got)
		}
	}
}

func TestToneOf(t *testing.T) {
	for s, want := range map[string]tone{
		"#fff": white, "#ffffff": white, "#123456ff": said | 0x123456, "#12345678": unknown, "#12345600": transparent, "white": white, "rgb(255,255,255)": white,
		"rgb(255 255 255 / 0)": transparent, "rgba(1,2,3,1)": said | 0x010203, "rgba(1,2,3,0.5)": unknown, "rgb(1,2)": unknown, "#ggg": unknown,
		"hsl(0, 0%, 100%)": white, "hsl(9 50% 0%)": said, "hsl(9,9%,50%)": said | 0x8b7774, "hsl(0,0%,99%)": said | 0xfcfcfc, "hsl(120deg 100% 50% / 1)": said | 0x00ff00, "hsla(0,0%,99%,0)": transparent, "hsla(0,0%,99%,.5)": unknown, "hsl(9,9%)": unknown, "hsl(9,9,50)": unknown, "hsl(x,9%,50%)": unknown, "hsl(": unknown, "#ffff": unknown, "chartreuse": unknown, "": unknown, "inherit": 0,
	} {
		if got := toneOf(s); got != want {
			t.Errorf("%s: got %x, want %x", s, got, want)
		}
	}
}

func TestVisibleText(t *testing.T) {
	for src, want := range map[string]string{
		"a<br>b":                                        "a\nb",
		"a<p>b<div>c</div>d":                            "a\nb\nc\nd",
		"a<b>b</b>c <i> d </i> e":                       "abc d e",
		"a&nbsp;b&#8203;c&amp;d":                        "a b\u200bc&d",
		"<td>a<td>b<tr><td>c":                           "a b\nc",
		"<title>t</title>x<style>y":                     "x",
		"<div style=display:none>a<p>b</div>c":          "c",
		"<span style='display:none'>a</b></i>b</span>c": "c",
		"<xyz style='display:none'>a</xyz>b":            "b",
		"<div style=display:none><table><tr><td>a</div>b</table></div>c":                              "c",
		"<table><tr><td style=display:none>a<b>b</tr><tr><td>c</table>":                               "c",
		"a<div style=display:none>x</div>b":                                                           "ab",
		"<li style=display:none>a<li>b":                                                               "b",
		"<!-- a --><![if !x]>b<![endif]--><!>c":                                                       "bc",
		"<style>.a{display:none}</style><p class='b a'>x</p><p class=aa>y":                            "y",
		"<p class=a>x</p>y<style>.a{display:none}</style>":                                            "y",
		"<!--[if mso]><style>.a{display:none}</style><![endif]--><p class=a>x":                        "x",
		"<style>@media print{.a{display:none}} .b{display:none}</style><p class=a>x<p class=b>y":      "x",
		"<style>.a{display:none}</style><p class=a style='display:block!important'>x":                 "x",
		"<style>#i .c{display:none}</style><p id=i><b class=c>x</b></p><b class=c>y":                  "y",
		"<body bgcolor=black><font color=black>xxx</font>long enough to be the text":                  "long enough to be the text",
		"<body bgcolor=000000><font color=fff>x</font>":                                               "x",
		"<p style='color:#fff'>x</p>much more text than is hidden here":                               "much more text than is hidden here",
		"<p style='color:#fff;background:url(a.png)'>x</p>much more text here":                        "x\nmuch more text here",
		"<p style='color:#123456;background:#123456 none'>x</p>much more text here":                   "much more text here",
		"<p style='color:#fff;background:hsl(0, 0%, 99%)'>x</p>much more text here":                   "much more text here",
		"<a href=x style='color:#fff;background:#00f'>button</a>":                                     "button",
		"<div style='color:#fff;background:#111'><p>x</p><table><tr><td bgcolor=#fff>y</table></div>": "x\ny",
		"<plaintext>a<b>": "a<b>",
		"<p style='color:red' style='display:none'>x":                                                      "x",
		"<p title='<style>p{display:none}</style>'>x":                                                      "x",
		"<style media=print>p{display:none}</style><p>x":                                                   "x",
		"<style media='(max-width:600px)'>p{display:none}</style><p>x":                                     "x",
		"<style media='only screen and (min-width:480px)'>p{display:none}</style><p>x</p>y":                "y",
		"<style>.a{content:\"} p{display:none\"}</style><p>x":                                              "x",
		"<style>.b{display:none}.a{display:block}</style><p class='a b'>x":                                 "x",
		"<style>.b.a{display:none}.a{display:block}</style><p class='a b'>x</p>y":                          "y",
		"<style>.a{display:block!important}</style><p class=a style='display:none'>x":                      "x",
		"<style>p:not(.q){display:block!important}</style><p style='display:none'>x":                       "x",
		"<style>p[id]{background:#000}</style><p style='color:#fff'>x</p>much more text here":              "x\nmuch more text here",
		"<style>@supports(x:y){p{background:#000}}</style><p style='color:#fff'>x</p>much more text here":  "x\nmuch more text here",
		"<style>a:hover{color:#000}*{color:#fff}</style><p>x</p><b style='color:red'>much more text here":  "much more text here",
		"<p style='color:#fff;background:darkslateblue'>x</p>much more text here":                          "x\nmuch more text here",
		"<div style='color:#fff'>hid<span style='color:hsl(0,0%,0%)'>seen</span></div>much more text here": "seen\nmuch more text here",
		"<li style=display:none><div>a<li>b":                                                               "b",
		"<table><tr><td style=display:none><ul><li>a<td>b</table>":                                         "b",
		"<button style=display:none>a<button>b":                                                            "b",
		"<h1 style=display:none>a<h2>b":                                                                    "b",
		"<td style=display:none>" + strings.Repeat("<b>", 100) + "<td>b":                                   "b",
		"<p style='text-indent:-9999px'>a<br>b":                                                            "b",
		"V<span style='display:inline-block'>i</span>agra":                                                 "Viagra",
		"<font color=chucknorris>x":                                                                        "x",
	} {
		if got := seen(src); got != want {
			t.Errorf("%s: got %q, want %q", src, got, want)
		}
	}
}

// Beyond the bounds of nesting nothing may stay hidden.
func TestLostPageIsVisible(t *testing.T) {
	got := seen("<div style=display:none>" + strings.Repeat("<b>", MaxNested+5) + "x</div>y")
	if got != "xy" {
		t.Errorf("got %q", got)
	}
}

func TestParseURL(t *testing.T) {
	for s, want := range map[string]string{
		"http://a.example":                   "http a.example ",
		"https://user@a.example:443/x?y=1#z": "https a.example /x?y=1#z",
		"HTTP:a.example/x":                   "http a.example /x",
		"http:///a.example":                  "http a.example ",
		"ftp://a.example/%41%zz":             "ftp a.example /A%zz",
		"www.a.example":                      "http www.a.example ",
		"http://A.EXAMPLE../":                "http a.example /",
		"http://bücher.example/":             "http xn--bcher-kva.example /",
		"http://a%2Eexample/":                "http a.example /",
		"http://127.1/":                      "http 127.0.0.1 /",
		"http://0x7f.0.0.01":                 "http 127.0.0.1 ",
		"http://256.1.1.1/":                  "http 256.1.1.1 /",
		"http://a@b@c.example/":              "http c.example /",
		`http:\/a.example\b`:                 `http a.example \b`,
	} {
		u, ok := parseURL(s)
		if got := u.Scheme + " " + u.Host + " " + u.Path; !ok || got != want {
			t.Errorf("%s: got %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "x", "mailto:a@b.example", "http://", "http://?", "http://..", "www.x", "javascript:1", "http://a b/", "http://[::1/", "/x", "#", "http://\xff/"} {
		if u, ok := parseURL(s); ok {
			t.Errorf("%q: got %+v", s, u)
		}
	}
}
