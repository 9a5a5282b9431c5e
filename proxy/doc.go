// Package proxy is the front: it takes a message from a client, has it judged while the client waits, and hands it to
// the server behind or says no. It owns no mail. A client reads 250 only when the server behind has said so, and
// whatever breaks on the way is a 4xx that makes the client try again.
//
// # The way of a message
//
//	server.go       Server, its limits; Serve and Drain
//	listener.go     a client comes in; nothing waits here
//	sessions.go     who is here, and whether there is room
//	proxyproto.go   whom a load balancer speaks for
//	xclient.go      whom a trusted peer speaks for
//	wire.go         bytes: TLS, deadlines that move on, replies written together, the last word
//	gate.go         what go-smtp sees of the client: one command at a time, a message to its end and not further
//	manners.go      the greeting held back, and what clients do that no mail server does
//	pace.go         how often a client may come, and how much is judged at once
//	memory.go       what clients did lately
//	verbs.go        which commands go-smtp gets, and the answers to the others
//	auth.go         users, who authenticate with the server behind
//	etrn.go         a queue started at the server behind
//	command.go      a command line taken apart
//	address.go      a path taken apart and written again
//	transfer.go     a message on its way in: its pace, and how far it is read
//	body.go         where a message ends, and what must not be in it
//	mend.go         the same where line ends are mended
//	chunks.go       a message by BDAT, which to go-smtp is one by DATA
//	session.go      what go-smtp calls: MAIL, RCPT, DATA
//	transaction.go  one message from MAIL to the last reply
//	generation.go   its trial by the rules, which needs no SMTP
//	candidate.go    what other rules, on trial, would have done otherwise
//	spool.go        the message, read once
//	finaldot.go     a message that comes again because its client did not hear our 250
//	finaldot_linux.go what the kernel knows of the bytes that the client has taken
//	finaldot_other.go where it does not say
//	strip.go        fields that only we may write, cut out
//	ourname.go      among them results in our name, however it is written
//	headers.go      those that we write
//	subject.go      a mark before the subject, where the rules ask for one
//	authresults.go  one of them: what was found out about the sender
//	route.go        where the mail of a recipient goes, and what can be offered to all
//	forward.go      recipients and message passed on; backend/ speaks SMTP there
//	reply.go        every reply that a client reads
//	record.go       what the operator reads
//	learn.go        what later messages and the operator are told of it
//	ledger.go       and counts: what became of sessions, which limits they met, whether all listeners live
//
// # Why a gate
//
// go-smtp is the engine: it parses commands, keeps the order of MAIL, RCPT and DATA, and undoes dot-stuffing. It is
// used as it is, but it does not stand on the network. Between it and the client stands the gate, above TLS, which
// does TLS itself. go-smtp asks the gate for bytes when it has answered the last command, so the gate always knows
// what is going on, in clear and encrypted alike:
//
//   - Read hands over one command, which the gate has looked at first. Commands that go-smtp has no answer or a wrong
//     one for never reach it (ETRN, BDAT, a second MAIL, a command without its CRLF, control bytes, STARTTLS). The
//     first chunk of a message reaches it as DATA; the octets of all of them go past it to the session.
//   - Write gathers what go-smtp says. The session may say something else instead, such as the server's own words over
//     several lines; all replies are written together when no command is waiting.
//   - In a message, Read hands over bytes up to CRLF.CRLF. A bare CR, a bare LF or a NUL ends the session with 550, at
//     once and for good, so that no part of a message is ever a command: not here, and not at a more lenient server
//     behind, which sees CRLF alone. Where line ends are mended instead, the bytes are mended here, so that what is
//     judged, signed, counted and forwarded is one and the same.
//   - Once a read has failed, every later one fails. A message that takes too long is never continued as commands.
//
// # What is passed on
//
// RCPT is asked of the server behind as it comes, so that its refusals are ours; MAIL goes with the first. The message
// follows when it has been judged. A message refused leaves RSET behind, never half a DATA. Parameters the server does
// not offer are dropped where their RFC allows it (SIZE, DSN) and refused where not (SMTPUTF8, BINARYMIME, 8BITMIME for a
// message that needs it). A text goes by DATA, however it came; what is no text goes by BDAT.
package proxy
