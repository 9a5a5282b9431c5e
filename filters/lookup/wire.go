package lookup

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"strings"

	"github.com/miekg/dns"
)

const headerSize = 12 // RFC 1035 §4.1.1

// query is a question in wire form, from which packets are made: each with its own id and letter case.
type query struct {
	kind Kind
	name []byte // the wire form of the name, lower case
}

// ednsOption is the OPT record of every query (RFC 6891 §6.1.2): root, type 41, 1232 octets of UDP payload, no flags,
// no options.
var ednsOption = [...]byte{0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, 0}

func newQuery(q question) (query, error) {
	name, err := packName(q.name)
	return query{q.kind, name}, err
}

// packName writes a name as labels (RFC 1035 §3.1). Every byte but the dot stands for itself.
func packName(name string) ([]byte, error) {
	wire := make([]byte, 0, len(name)+2)
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return nil, errBadName
		}
		wire = append(append(wire, byte(len(label))), label...)
	}
	if wire = append(wire, 0); len(wire) > 255 {
		return nil, errBadName
	}
	return wire, nil
}

// packet makes a query packet with a random id and random letter case, which an honest answer repeats.
func (q query) packet() []byte {
	p := make([]byte, headerSize, headerSize+len(q.name)+4+len(ednsOption))
	newID(p)
	p[2] = 1           // RD
	p[5], p[11] = 1, 1 // one question, one additional record
	p = append(p, q.name...)
	var random [32]byte
	rand.Read(random[:])
	for i := range q.name {
		// A length is at most 63, so it is never taken for a letter.
		if c := p[headerSize+i]; 'a' <= c && c <= 'z' && random[i/8]>>(i%8)&1 == 1 {
			p[headerSize+i] = c - 'a' + 'A'
		}
	}
	p = binary.BigEndian.AppendUint16(p, uint16(q.kind))
	p = binary.BigEndian.AppendUint16(p, dns.ClassINET)
	return append(p, ednsOption[:]...)
}

// newID writes a random id into packet.
func newID(packet []byte) { rand.Read(packet[:2]) }

// answers reports whether packet is a response to sent: same id, one question, the same to the letter (RFC 5452 §9.1).
func answers(packet, sent []byte) bool {
	asked := sent[:len(sent)-len(ednsOption)]
	return len(packet) >= len(asked) &&
		bytes.Equal(packet[:2], sent[:2]) &&
		packet[2]&0xf8 == 0x80 && // a response to a standard query
		packet[4] == 0 && packet[5] == 1 &&
		bytes.Equal(packet[headerSize:len(asked)], asked[headerSize:])
}

// truncated reports the TC bit of a packet that answers a query.
func truncated(packet []byte) bool { return packet[2]&2 != 0 }
