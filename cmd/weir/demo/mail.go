package demo

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"
)

// Letter is one message of the demo's stream, and who sends it to whom.
type Letter struct {
	kind   string // one of kinds
	client netip.Addr
	helo   string
	from   string
	to     string
	raw    []byte
}

// Kinds of demo letters.
const (
	kindOrdinary   = "ordinary mail"
	kindNewsletter = "the shop's newsletter"
	kindCampaign   = "the randomised campaign"
	kindListed     = "clients listed hard"
	kindSuspect    = "clients listed softly"
)

// Shop is the domain whose newsletter is wanted. It signs.
const Shop = "mail.shop.test"

// postOffice writes the demo's letters.
type postOffice struct {
	rand *rand.Rand
	now  time.Time
	n    int
	sign func(raw []byte) ([]byte, error)
}

// Letters writes all letters of the demo, shuffled as mail comes: in no order. The same seed gives the same letters. now
// is the date of the first; sign signs the shop's.
func Letters(seed uint64, now time.Time, sign func(raw []byte) ([]byte, error)) ([]Letter, error) {
	p := &postOffice{rand: rand.New(rand.NewPCG(seed, 1)), now: now, sign: sign}
	var all []Letter
	for range 160 {
		all = append(all, p.ordinary())
	}
	for range 60 {
		l, err := p.newsletter()
		if err != nil {
			return nil, fmt.Errorf("signing the newsletter: %w", err)
		}
		all = append(all, l)
	}
	for range 120 {
		all = append(all, p.campaign())
	}
	for range 30 {
		all = append(all, p.fromListed(kindListed, listedHard), p.fromListed(kindSuspect, listedSoft))
	}
	p.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, nil
}

func (p *postOffice) pick(words ...string) string { return words[p.rand.IntN(len(words))] }

// spin replaces each {a|b|c} of text by one of its words, as bulk senders' tools do.
func (p *postOffice) spin(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		choice, after, _ := strings.Cut(rest, "}")
		b.WriteString(p.pick(strings.Split(choice, "|")...))
		text = after
	}
}

func (p *postOffice) token(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[p.rand.IntN(len(letters))]
	}
	return string(b)
}

func (p *postOffice) person() (name, local string) {
	first := p.pick("Ann", "Boris", "Clara", "Dmitri", "Elena", "Farid", "Grace", "Henrik", "Irina", "Jonas", "Karim", "Lucia")
	last := p.pick("Adler", "Belov", "Costa", "Dahl", "Egorova", "Fischer", "Grant", "Holm", "Ivanova", "Jansen", "Keller", "Lind")
	return first + " " + last, strings.ToLower(first + "." + last)
}

// kindHeader begins the header by which the demo knows its letters again in the backend's mailbox.
const kindHeader = "X-Demo-Kind: "

// headed makes a message of the content, which is a subject and a body.
func (p *postOffice) headed(kind, from, to string, content [2]string) []byte {
	p.n++
	domain := from[strings.LastIndexByte(from, '@')+1 : len(from)-1]
	head := fmt.Sprintf(kindHeader+kind+"\r\nFrom: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d.%s@%s>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
		from, to, content[0], p.now.Add(time.Duration(p.n)*time.Second).Format(time.RFC1123Z), p.n, p.token(8), domain)
	return []byte(head + "\r\n" + strings.ReplaceAll(content[1], "\n", "\r\n"))
}

// domains are honest domains with one mail server each.
var domains = map[string]netip.Addr{
	"orchard.test":   netip.MustParseAddr("203.0.113.10"),
	"harbour.test":   netip.MustParseAddr("203.0.113.20"),
	"atelier.test":   netip.MustParseAddr("203.0.113.30"),
	"birchwood.test": netip.MustParseAddr("203.0.113.40"),
}

// shopClient is the shop's mail server.
var shopClient = netip.MustParseAddr("203.0.113.77")

func (p *postOffice) ordinary() Letter {
	name, local := p.person()
	_, to := p.person()
	domain := p.pick("orchard.test", "harbour.test", "atelier.test", "birchwood.test")
	project := p.pick("greenhouse", "timetable", "translation", "bakery", "archive", "choir", "bicycle", "library")
	return Letter{
		kind: kindOrdinary, client: domains[domain], helo: "mail." + domain, from: local + "@" + domain, to: to + "@example.org",
		raw: p.headed(kindOrdinary, fmt.Sprintf("%s <%s@%s>", name, local, domain), to+"@example.org",
			[2]string{p.pick("Notes on the ", "About the ", "Re: ") + project, p.note(project) + name + "\n"}),
	}
}

// note is the body of an ordinary letter: few of them are alike.
func (p *postOffice) note(project string) string {
	return p.spin(p.pick(
		"{Hello|Hi|Dear all},\n\n{attached are|here are|I have finished} the notes about the "+project+". {Could you look|Please have a look} before "+
			"{Tuesday|Friday|the meeting}?\nThe part about "+p.pick("costs", "windows", "the second chapter", "travel", "staff")+" is still "+
			"{open|thin|wrong}, and "+p.pick("Marta", "the architect", "our printer", "the council")+" asked about it {twice|again|yesterday}.\n\n",
		"{Thank you|Thanks} for {calling|writing|the letter}. We can meet {at noon|after six|in the morning} near the "+project+
			", the {small|red|old} house behind the "+p.pick("station", "bridge", "school", "market")+".\nBring "+
			p.pick("the drawings", "an umbrella", "Peter", "your camera", "the keys")+" if you can.\n\n",
		"Добрый день!\n\n{Посылаю|Отправляю} {заметки|список|план} к {вторнику|пятнице|встрече}: "+
			p.pick("смета готова наполовину", "перевод почти закончен", "зал заказан на вечер", "чертежи ещё у архитектора")+
			". {Посмотрите|Проверьте}, пожалуйста, "+p.pick("вторую страницу", "даты", "имена", "расписание поездов")+".\n\n",
	))
}

func (p *postOffice) newsletter() (Letter, error) {
	name, to := p.person()
	body := fmt.Sprintf("Good day %s,\n\nthis week in the shop: linen table cloths in eleven colours, copper kettles from the small forge "+
		"in the north, and a new delivery of walnut chopping boards.\nOrders before Thursday arrive by the weekend. The spring catalogue is "+
		"at https://www.shop.test/catalogue?c=%s\n\nYou receive this letter because you asked for it. Leave with one click: "+
		"https://www.shop.test/leave/%s\n", name, p.token(10), p.token(12))
	raw := p.headed(kindNewsletter, "Shop <news@"+Shop+">", to+"@example.org", [2]string{"New in the shop this week", body})
	raw = append([]byte("List-Unsubscribe: <https://www.shop.test/leave/"+p.token(12)+">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), raw...)
	raw, err := p.sign(raw)
	return Letter{
		kind: kindNewsletter, client: shopClient, helo: "out." + Shop,
		from: "bounce-" + p.token(6) + "@" + Shop, to: to + "@example.org", raw: raw,
	}, err
}

func (p *postOffice) campaign() Letter {
	name, local := p.person()
	_, to := p.person()
	domain := p.token(7) + ".test"
	body := p.spin(fmt.Sprintf("{Hello|Hi|Greetings|Good day} %s,\n\nour {private|discreet|closed} circle of investors has {one place|a single place} left. "+
		"Members receive forty percent {every month|each month|monthly} from the new exchange robot, {without any risk|with no risk at all}, and the "+
		"first payment arrives {after three days|within three days}.\n{Register|Sign up} today at http://%s/%s and {quote|mention|give} the code %s to "+
		"{secure|keep|reserve} your place before the list is closed for this year.\n\n%s\n", to, domain, p.token(9), p.token(6), name))
	return Letter{
		kind: kindCampaign, client: netip.AddrFrom4([4]byte{198, 18, byte(p.rand.IntN(250)), byte(1 + p.rand.IntN(250))}),
		helo: "host." + domain, from: local + "@" + domain, to: to + "@example.org",
		raw: p.headed(kindCampaign, fmt.Sprintf("%s <%s@%s>", name, local, domain), to+"@example.org",
			[2]string{p.spin("{One|A single} place left, {register|sign up} today ") + p.token(4), body}),
	}
}

// fromListed is an ordinary letter, sent by a client that a list knows.
func (p *postOffice) fromListed(kind string, lowest byte) Letter {
	l := p.ordinary()
	l.kind, l.client = kind, netip.AddrFrom4([4]byte{192, 0, 2, lowest + byte(p.rand.IntN(40))})
	l.raw = bytes.Replace(l.raw, []byte(kindHeader+kindOrdinary), []byte(kindHeader+kind), 1)
	return l
}
