package bulk

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// lookalikes says which letters a reader takes for which small Latin one, beyond what decomposition (NFKD) already
// makes equal: accents, full width, mathematical and circled letters. A whole family becomes one letter, also where a
// language tells its members apart: two words that fall together cost little, one that does not is a way out.
var lookalikes = [...]struct {
	letter rune
	seen   string
}{
	{'a', "ɑαаΑАᴀɐᗅꓮ𐊠Ꭺ∂əәӘƏ⍺æӕÆӔⲁⲀ"},
	{'b', "ВвΒβƀɓƃƂЬьЪъƄƅᏏᏴꓐ𐊂ᖯʙßϐⲂⲃᗷᑲ𐊡𐌁"},
	{'c', "сСϲϹᴄⅽꮯᏟꓚ𐐕ƈćɕςϛҪҫ¢ꞔⲤⲥ𐌂𐐽𐊢"},
	{'d', "ԁɗɖđĐÐðᏧᗞꓓᎠᴅժƌƊƉԀ₫ꝺᗪᑯꓒ"},
	{'e', "еЕΕεҽҼɛєЄэЭзЗҘҙ℮ꬲɘǝƎɜɝꓰᎬᴇ€ԐԑӠӡƐҾҿⴹ𐊆"},
	{'f', "ƒϝϜꞘꞙꬵꓝƑẝſᶂᖴքᏐ𐊇"},
	{'g', "ɡԌɢƓɠցǥǤᏀᏳꓖᶃᵷƍ"},
	{'h', "НнΗһҺհҤҥӇӈҢңʜᎻᕼꓧћЋђЂħĦɦԋԊꜦⱧⱨⲎⲏᏂꮒ𐋏"},
	{'i', "іІιΙӀӏıɪɩⅼlL∣ǀᎥᏞւɭŀłŁƚɫℓǃߊוןاᛁꓲꓡʟɨƗΊίљⲒⲓͺꙇꭵⵏᒪⳐ"},
	{'j', "јЈϳͿɉɈᎫꓙʝȷյᒍ"},
	{'k', "кКκΚᴋҚқҜҝҞҟҠҡӃӄᏦꓗƙƘĸϰⲔⲕᛕ"},
	{'m', "мМΜϺᴍⅿʍӍӎꓟᎷᛖ₥ɱμµⲘⲙᗰ𐌑"},
	{'n', "пПΝոηռɴɲŋŊꓠᴨΠπ∩иИͶղⲚⲛᑎ"},
	{'o', "оОοΟσօՕөӨɵƟøØᴏ०੦૦໐๐০୦ഠဝ၀⚬〇ꓳΘθϴѳѲʘᴑⲞⲟⵔዐჿꬽⓄ𐐄𐐬ం௦౦೦൦"},
	{'p', "рРρΡϱϼᏢꓑᴘƿƥƤþÞ⍴Ⲣⲣᑭᶈ"},
	{'q', "ԛԚգզʠɋɊⵕ"},
	{'r', "гГᴦяЯʀɾɼꮢᏒᎡꓣɍɌґҐⲅꭇꭈꮁɽɹᖇ"},
	{'s', "ѕЅꜱʂꓢᏚᏕʃƽƨƧՏ§ꮪ𐐠"},
	{'t', "тТτΤҬҭᴛƭƬŧŦꓔᎢ†ϯ⊤ƫⲦⲧ"},
	{'u', "υսՍᴜʋʊꞟꓴ∪ᴗцЦʉɄҵᑌሀꭎꭒ"},
	{'v', "ѵѴνᴠⅴ∨ᐯᏙꓦѷѶʌ√ϑⴸꛟꮩ⋁"},
	{'w', "ԝԜѡѠωшШщЩɯᴡᎳꓪաϖψԱꮃѽᏔꮤႭ"},
	{'x', "хХχΧ×ҲҳӼӽӾӿ᙭ᕽꓫ⨯жⲬⲭⵝᚷᕁꭓꞳ"},
	{'y', "уУγΥҮүҰұʏƴƳჸყỿꓬɏɎўЎӮӯϒчЧ¥ɣⲨⲩᎩꭹᎽᶌꭚ"},
	{'z', "ᴢƶƵȥȤʐʑζΖꓜᏃʒƷꮓ"},
}

// invisible are letters to Unicode and nothing to the eye, or nothing but longer: 640 stretches an Arabic letter.
var invisible = map[rune]bool{0x640: true, 0x115f: true, 0x1160: true, 0x17b4: true, 0x17b5: true, 0x2800: true, 0x3164: true, 0xffa0: true}

// What folding makes of a rune besides a letter or digit.
const (
	separator rune = 0  // ends a word
	nothing   rune = -1 // is not seen
	several   rune = -2 // stands for more than one letter
)

// folder maps runes to one skeleton alphabet: what looks alike becomes one small letter.
type folder struct {
	plain  [256]byte    // ready answers for the letters of ASCII; 0 for all else
	common [0x2000]rune // and for the scripts of most mail
	alike  map[rune]rune
}

func newFolder() *folder {
	f := &folder{alike: map[rune]rune{}}
	for _, family := range lookalikes {
		for _, r := range family.seen {
			if _, taken := f.alike[r]; !taken {
				f.alike[r] = family.letter
			}
		}
	}
	for r := range f.common {
		f.common[r] = f.slow(rune(r))
	}
	for c := range utf8.RuneSelf {
		if letter := f.common[c]; letter >= 'a' {
			f.plain[c] = byte(letter)
		}
	}
	return f
}

// fold returns the skeleton of r: a small letter, a digit '0' to '9', or one of separator, nothing and several.
func (f *folder) fold(r rune) rune {
	if int(r) < len(f.common) {
		return f.common[r]
	}
	return f.slow(r)
}

func (f *folder) slow(r rune) rune {
	if s, ok := f.alike[r]; ok {
		return s
	}
	if invisible[r] || unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me) {
		return nothing
	}
	found := separator
	for _, p := range norm.NFKD.String(string(r)) {
		s := f.single(p)
		switch {
		case s == nothing || s == separator:
		case found != separator:
			return several
		default:
			found = s
		}
	}
	return found
}

// single folds a rune that has no decomposition.
func (f *folder) single(r rune) rune {
	if s, ok := f.alike[r]; ok {
		return s
	}
	if unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me) {
		return nothing
	}
	low := unicode.ToLower(r)
	if s, ok := f.alike[low]; ok {
		return s
	}
	switch {
	case r >= '0' && r <= '9', unicode.IsLetter(r):
		return low
	case unicode.IsDigit(r):
		return '0' // which one does not matter: numbers are dropped
	}
	return separator
}
