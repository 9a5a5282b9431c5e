package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/auth"
	"weir/filters/lookup"
	"weir/proxy"
)

// The victim of the forgers, whose domain asks to refuse what is not proven, and one of theirs.
const (
	victim   = "legitimate.com"
	attacker = "attack.com"
)

// forgery is one case: an envelope, and how the attacker signs the message.
type forgery struct {
	ID, Helo, MailFrom, Eml string
	DKIM                    struct{ D, S string }
}

// forged runs the cases of forged messages. None may come out as proven for the victim, nor may the header field say so.
func forged(s *suite, path string, verbose bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var f forgery
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(path), f.Eml))
		if err != nil {
			return err
		}
		mail, err := f.judged(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", f.ID, err)
		}
		a := mail.Auth
		results := resultsOf(mail)
		proven := a.Proves(victim) || a.DMARC.Result == "pass" && within(a.DMARC.Domain, victim) || claims.MatchString(results)
		for _, d := range a.Domains {
			proven = proven || within(d, victim)
		}
		s.settle(!proven, f.ID, "%+v: %s", *a, results)
		if verbose {
			fmt.Printf("%s: %s\n", f.ID, results)
		}
	}
	return nil
}

// claims finds a result that says pass of a name of the victim.
var claims = regexp.MustCompile(`=pass[^;]*[ .@"=]` + regexp.QuoteMeta(victim) + `(?:[ ;"]|$)`)

func within(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

// judged is what the checks find out about a forgery.
func (f *forgery) judged(raw []byte) (filters.Mail, error) {
	seed := make([]byte, ed25519.SeedSize)
	signer := auth.Signer{Domain: f.DKIM.D, Selector: f.DKIM.S, Key: ed25519.NewKeyFromSeed(seed)}
	records := map[string][]string{
		attacker: {`TXT "v=spf1 +all"`}, "*." + attacker: {`TXT "v=spf1 +all"`}, "_dmarc." + attacker: {`TXT "v=DMARC1; p=none"`},
		victim: {`TXT "v=spf1 ip4:192.0.2.1 -all"`}, "_dmarc." + victim: {`TXT "v=DMARC1; p=reject"`},
		"selector._domainkey." + attacker: {quoted(signer.Record())},
	}
	if f.DKIM.D != "" {
		signed, err := signer.Sign(raw)
		if err != nil {
			return filters.Mail{}, err
		}
		raw = signed
		if !strings.Contains(f.DKIM.S, "\x00") {
			records[escaped(signer.Name())] = []string{quoted(signer.Record())}
		}
	}
	zone, err := lookup.MapZone(records)
	if err != nil {
		return filters.Mail{}, err
	}
	r := lookup.FromZone(zone)
	pipeline := filters.NewPipeline(patience, auth.NewSPF(r), auth.NewDKIM(r), auth.NewARC(r), auth.NewDMARC(nil, r))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	mail := filters.Mail{
		At:       time.Now(),
		Session:  &filters.Session{Addr: netip.MustParseAddrPort("198.51.100.66:25"), Hello: f.Helo, Proto: "ESMTP"},
		Envelope: &filters.Envelope{From: strings.TrimSuffix(strings.TrimPrefix(f.MailFrom, "<"), ">")},
		Message:  filters.ParseMessage(raw),
	}
	pass := pipeline.Begin(ctx)
	defer pass.End()
	for _, stage := range []filters.Stage{filters.Sender, filters.Body, filters.Proven} {
		pass.Reach(stage, mail)
		mail.Auth = filters.Gather(pass.Results(stage)).Auth
	}
	return mail, nil
}

// resultsOf is the header field that is delivered, in one line.
func resultsOf(mail filters.Mail) string {
	header := string(proxy.Headers(proxy.HeaderInput{Hostname: "mx.victim.com", Mail: mail}))
	_, rest, _ := strings.Cut(strings.ReplaceAll(header, "\r\n\t", " "), "Authentication-Results: ")
	line, _, _ := strings.Cut(rest, "\r\n")
	return line
}
