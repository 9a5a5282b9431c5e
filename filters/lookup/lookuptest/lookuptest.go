// Package lookuptest is a collection of ways in which DNS servers lie, fail and misbehave. Each is a func for
// lookup.Server.Twist: it is given an honest reply and returns the packets to send instead.
package lookuptest

import (
	"bytes"
	"slices"
	"strings"
)

// Twist turns an honest reply into what is sent.
type Twist func(packet []byte, tcp bool) [][]byte

const (
	header    = 12 // the fixed part of a DNS message (RFC 1035 §4.1.1)
	truncated = 2  // the TC bit of byte 2
)

// Response codes for Code.
const (
	FormErr  = 1
	Servfail = 2
	NXDomain = 3
	NotImp   = 4
	Refused  = 5
)

// Silent never answers.
func Silent([]byte, bool) [][]byte { return nil }

// WrongID answers with another id.
func WrongID(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	p[0] ^= 0x55
	return [][]byte{p}
}

// WrongQuestion answers a question for another name of the same length.
func WrongQuestion(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	for i := header + 1; i < header+1+int(p[header]); i++ {
		p[i] = 'a' + (p[i]+1)%26
	}
	return [][]byte{p}
}

// WrongCase swaps the case of the letters of the question.
func WrongCase(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	for i := header; i < header+nameSize(p); i++ {
		if c := p[i] | 0x20; 'a' <= c && c <= 'z' {
			p[i] ^= 0x20
		}
	}
	return [][]byte{p}
}

// AQuery sends the packet marked as a query.
func AQuery(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	p[2] &^= 0x80
	return [][]byte{p}
}

// Truncated marks replies over UDP as truncated; those over TCP are honest.
func Truncated(packet []byte, tcp bool) [][]byte {
	if tcp {
		return [][]byte{packet}
	}
	return AlwaysTruncated(packet, tcp)
}

// AlwaysTruncated marks all replies as truncated.
func AlwaysTruncated(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	p[2] |= truncated
	return [][]byte{p}
}

// Cut sends the first half of the packet.
func Cut(packet []byte, _ bool) [][]byte { return [][]byte{packet[:len(packet)/2]} }

// HeadOnly sends the header alone.
func HeadOnly(packet []byte, _ bool) [][]byte { return [][]byte{packet[:header]} }

// Garbled fills what follows the question with 0xff.
func Garbled(packet []byte, _ bool) [][]byte {
	p := bytes.Clone(packet)
	for i := header + nameSize(p) + 4; i < len(p); i++ {
		p[i] = 0xff
	}
	return [][]byte{p}
}

// Oversized adds 40,000 bytes to the packet, which was not asked for.
func Oversized(packet []byte, _ bool) [][]byte {
	return [][]byte{append(bytes.Clone(packet), make([]byte, 40_000)...)}
}

// Twice sends the reply two times.
func Twice(packet []byte, _ bool) [][]byte { return [][]byte{packet, packet} }

// Code answers with the given response code and no records.
func Code(code byte) Twist {
	return func(packet []byte, _ bool) [][]byte {
		p := bare(packet)
		p[3] = p[3]&0xf0 | code
		return [][]byte{p}
	}
}

// Says answers every question with one IPv4 address, as a wildcard does, or a resolver that leads those astray who ask
// for what does not exist.
func Says(a, b, c, d byte) Twist {
	return func(packet []byte, _ bool) [][]byte { return [][]byte{with(packet, 1, []byte{a, b, c, d}, inAnswer)} }
}

// Loop answers that the name is an alias of itself.
func Loop(packet []byte, _ bool) [][]byte {
	return [][]byte{with(packet, 5, []byte{0xc0, header}, inAnswer)}
}

// Lame knows nothing of the zone and only says who does: itself.
func Lame(packet []byte, _ bool) [][]byte {
	p := with(packet, 2, []byte{0xc0, header}, inAuthority)
	p[2] &^= 0x04 // the AA bit
	p[3] &^= 0x80 // the RA bit
	return [][]byte{p}
}

// The places of the counts of records in the header.
const (
	inAnswer    = 7
	inAuthority = 9
)

// bare is the packet without any records and failure.
func bare(packet []byte) []byte {
	p := bytes.Clone(packet[:header+nameSize(packet)+4])
	p[3] &= 0xf0
	copy(p[6:header], make([]byte, 6))
	return p
}

// with is the packet with one record of the name asked for instead of all others.
func with(packet []byte, kind byte, data []byte, section int) []byte {
	p := bare(packet)
	p[section] = 1
	p = append(p, 0xc0, header, 0, kind, 0, 1, 0, 0, 1, 44, 0, byte(len(data))) // class IN, 300 seconds
	return append(p, data...)
}

// Held answers honestly once release is closed. A test must close it before it closes the server.
func Held(release <-chan struct{}) Twist {
	return func(packet []byte, _ bool) [][]byte {
		<-release
		return [][]byte{packet}
	}
}

// Before sends the lie and then the truth.
func Before(lie Twist) Twist {
	return func(packet []byte, tcp bool) [][]byte { return append(lie(packet, tcp), packet) }
}

// Below applies each twist to questions for names below its zone (its name, lower case, no final dot); others are
// answered honestly. The longest zone wins.
func Below(zones map[string]Twist) Twist {
	return func(packet []byte, tcp bool) [][]byte {
		labels := strings.Split(question(packet), ".")
		for i := range labels {
			if twist := zones[strings.Join(labels[i:], ".")]; twist != nil {
				return twist(packet, tcp)
			}
		}
		return [][]byte{packet}
	}
}

// nameSize is the size of the question's name in the packet.
func nameSize(packet []byte) int {
	return slices.Index(packet[header:], 0) + 1 // labels hold no zero byte in any test
}

// question is the name asked, lower case, without the final dot.
func question(packet []byte) string {
	var labels []string
	for i := header; packet[i] != 0; i += int(packet[i]) + 1 {
		labels = append(labels, strings.ToLower(string(packet[i+1:i+1+int(packet[i])])))
	}
	return strings.Join(labels, ".")
}
