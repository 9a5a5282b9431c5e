package bulk

import (
	"slices"
	"strings"
	"testing"
)

func TestOwnWords(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "one\ntwo\n\nthree", "one\ntwo\n\nthree"},
		{"signature", "one\n-- \nAnn\n+1 555", "one"},
		{"signature above what is answered", "one\n-- \nAnn\n-----Original Message-----\n" + strings.Repeat("two\n", 20), "one"},
		{"signature above a quotation", "one\n-- \nAnn\n" + strings.Repeat("> two\n", 20), "one"},
		{"signature with a disclaimer", "one\n-- \nAnn\n\n" + strings.Repeat("This mail is confidential and meant for the addressee only; if it came in error, delete it. ", 10), "one"},
		{"a long text below a signature mark", "one\n--\n" + strings.Repeat("two\n", 20), "one\n--\n" + strings.TrimSpace(strings.Repeat("two\n", 20))},
		{"a long line below a signature mark", "one\n--\n" + strings.TrimSpace(strings.Repeat("two ", 250)), "one\n--\n" + strings.TrimSpace(strings.Repeat("two ", 250))},
		{"signed text", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\none\n- -- two\n-----BEGIN PGP SIGNATURE-----\nVersion: x\n\niEYEARECAAYFAkvthfgACgkQ\n=7PCF\n" +
			"-----END PGP SIGNATURE-----\n\nthree", "one\n-- two\n\nthree"},
		{"text in the place of a signature", "one\n-----BEGIN PGP SIGNATURE-----\niEYEARECAAYFAkvthfgACgkQ\ntwo and more\nthree", "one\ntwo and more\nthree"},
		{"a newsletter's head", "View this mail in your browser\none", "one"},
		{"quotation", "one\nOn Monday Ann wrote:\n> two\n> three\nfour", "one\nfour"},
		{"a line that ends in a colon", "Buy:\nbread", "Buy:\nbread"},
		{"answered message", "one\n-----Original Message-----\nFrom: Ann\ntwo", "one"},
		{"forwarded in Russian", "раз\n-------- Пересылаемое сообщение --------\nдва", "раз"},
		{"answered in Outlook", "one\n________________________________\nFrom: Ann\n" + strings.Repeat("two\n", 20), "one"},
		{"answered in German", "eins\n-----Ursprüngliche Nachricht-----\nVon: Ann\nzwei", "eins"},
		{"answered in QQ Mail", "好的\n\n------------------ 原始邮件 ------------------\n发件人: 安\n二", "好的\n"},
		{"answered in Chinese, without a mark", "好的\n\n发件人：安\n发送时间：2026年\n收件人：宝\n二", "好的\n"},
		{"answered in Japanese", "はい\n\n差出人: 安\n送信日時: 火曜\n宛先: 宝\n二", "はい\n"},
		{"answered in Korean", "네\n-----원본 메시지-----\n둘", "네"},
		{"answered in Arabic", "نعم\n\nمن: آن\nتاريخ الإرسال: الاثنين\nإلى: بوب\nاثنان", "نعم\n"},
		{"answered in Hebrew", "כן\n\nמאת: אן\nנשלח: יום שני\nאל: בוב\nשתיים", "כן\n"},
		{"answered without a mark", "eins\n\nVon: Ann\nGesendet: Montag\nAn: Bob\nzwei", "eins\n"},
		{"one field is no message", "Von: Ann\nund Bob", "Von: Ann\nund Bob"},
		{"disclaimer", "one\n\nThis mail is confidential and meant for the\naddressee only. If it came in error, delete it.\n\ntwo", "one\n\ntwo"},
		{"disclaimer that is one line", "one\nДанное письмо конфиденциально по содержанию и предназначено только для адресата; если оно пришло по ошибке, удалите его. " +
			"Копирование и распространение этой конфиденциальной переписки запрещено.\ntwo", "one\ntwo"},
		{"a confidential offer", "My confidential offer is intended for you.\nAnswer soon.", "My confidential offer is intended for you.\nAnswer soon."},
		{"mail program", "one\nSent from my telephone", "one"},
		{"list footer", "one\n_______________________\ncrew mailing list\ncrew@lists.example", "one"},
		{"a rule within the text", "one\n----------\n" + strings.Repeat("two\n", 9), "one\n----------\n" + strings.TrimSpace(strings.Repeat("two\n", 9))},
		{"how to leave", "one\n\nTo unsubscribe from this list\nfollow the link\n\nlast", "one\n\n\nlast"},
		{"how to leave, far above the end", "You may unsubscribe\n" + strings.Repeat("x\n", 9), "You may unsubscribe\n" + strings.TrimSpace(strings.Repeat("x\n", 9))},
	} {
		if got := newCutter().ownWords(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLift(t *testing.T) {
	for _, c := range []struct {
		text, rest string
		payload    []string
	}{
		{"see http://a.example/x?y=1 now", "see  now", nil},
		{"write to <Pay.Desk@Claims.Example>, today", "write to  today", []string{"mail:pay.desk@claims.example"}},
		{"call +7 (495) 010-22-33!", "call +7 (495) 010-22-33!", []string{"number:950102233"}},
		{"or 8 495 010 22 33 tonight", "or 8 495 010 22 33 tonight", []string{"number:950102233"}},
		{"send to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT only", "send to  only", []string{"wallet:1BoatSLRHtKNngkdXEeobR76b53LETtpyT"}},
		{"on 22.11.2026 at 10:00 for 1.500,00", "on 22.11.2026 at 10:00 for 1.500,00", nil},
		{"a@b is none, nor is @you", "a@b is none, nor is @you", nil},
	} {
		rest, payload := lift(c.text)
		if rest != c.rest || !slices.Equal(payload, c.payload) {
			t.Errorf("%q: %q %q", c.text, rest, payload)
		}
	}
}

// Whatever has the first stem of a disclaimer, as people write it, is looked at.
func TestNoDisclaimerIsOverlooked(t *testing.T) {
	for _, stems := range disclaimers {
		first := []rune(stems[0])
		for _, stem := range []string{stems[0], strings.ToUpper(stems[0]), strings.ToUpper(string(first[:1])) + string(first[1:])} {
			if !newCutter().mayDisclaim("a text with " + stem + " in it") {
				t.Errorf("%q is overlooked", stem)
			}
		}
	}
}
