package filtertest

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/filters"
)

// arrival is the clock of cases that do not say theirs.
var arrival = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// parseMail reads an .eml file: lines of circumstances, then the message.
func parseMail(data []byte) (filters.Mail, error) {
	m := filters.Mail{At: arrival, Session: &filters.Session{ID: "case", Proto: "ESMTP"}, Envelope: &filters.Envelope{}}
	for n := 1; bytes.HasPrefix(data, []byte("@")); n++ {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		key, value, _ := strings.Cut(string(line[1:]), " ")
		if err := set(&m, strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return m, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if len(data) > 0 {
		if !bytes.ContainsRune(data, '\r') {
			data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
		}
		m.Message = filters.ParseMessage(data)
	}
	return m, nil
}

func set(m *filters.Mail, key, value string) error {
	switch key {
	case "ip":
		ip, err := netip.ParseAddr(value)
		if err != nil {
			return err
		}
		m.Session.Addr = netip.AddrPortFrom(ip, 40000)
	case "helo":
		m.Session.Hello = value
	case "rdns":
		return setReverse(m.Session, value)
	case "user":
		m.Session.User = value
	case "tls":
		m.Session.TLS = value
	case "greeter":
		m.Session.Manners.Greeter = value
	case "pipelining":
		m.Session.Manners.Pipelining = value
	case "command":
		m.Session.Manners.Command = value
	case "from":
		m.Envelope.From = value
	case "to":
		m.Envelope.To = append(m.Envelope.To, value)
	case "auth":
		if m.Auth == nil {
			m.Auth = &filters.Auth{}
		}
		m.Auth.Domains = append(m.Auth.Domains, value)
	case "at":
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return err
		}
		m.At = at
	default:
		return fmt.Errorf("unknown line @%s", key)
	}
	return nil
}

func setReverse(s *filters.Session, value string) error {
	name, state, _ := strings.Cut(value, " ")
	switch {
	case name == "none" && state == "":
		name = ""
	case name == "" || state != "" && state != "unconfirmed":
		return fmt.Errorf("@rdns %q is neither NAME, NAME unconfirmed nor none", value)
	}
	s.ReverseKnown, s.ReverseName, s.ReverseOK = true, name, name != "" && state == ""
	return nil
}
