// Package filtertest runs a check over cases that are files, so that a new case is new files and no code.
//
//	func TestCases(t *testing.T) {
//		filtertest.Run(t, func(r *lookup.Resolver) filters.Check { return reverse.New(r) })
//	}
//
// A case is up to three files of the testdata folder, or of testdata/private, which is not committed and takes real
// mail:
//
//	NN-name.eml    the circumstances, then the message
//	NN-name.zone   what the DNS says (RFC 1035 master file, names relative to the root); without it all of the DNS
//	               is offline
//	NN-name.hits   what the check must report; `go test -update` writes it, to be read before it is committed
//
// The .eml file may begin with lines about the session and the envelope. They end at the first line that does not
// begin with "@"; what follows is the message. Without a message Mail.Message is nil.
//
//	@ip 192.0.2.7
//	@helo mail.example
//	@rdns mail.example                 known and confirmed; without any @rdns line it is not known
//	@rdns mail.example unconfirmed     known, but does not point back
//	@rdns none                         known that there is none
//	@user ann
//	@tls TLS1.3
//	@greeter "EHLO x"                  what it did wrong; also @pipelining and @command
//	@from ann@example.org              the envelope; @to may be repeated
//	@to bob@example.net
//	@auth example.org                  a domain proven to have sent the message; may be repeated
//	@at 2026-11-22T10:00:00Z           when it arrived; this is also the value without the line
//
// If a message has no CR at all, its line ends become CRLF; else its bytes are taken as they are.
//
// The .hits file has one line for each thing reported, in the order of the report: hits, problems, facts.
//
//	SYMBOL the detail
//	! kind RULE the detail
//	= reverse {"Name":"mail.example","OK":true}
//
// Comment lines begin with "#" and are kept by -update.
package filtertest
