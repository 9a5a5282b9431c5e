// Package structure finds what is odd in how a message is made, where a regular expression cannot say it: dates
// against the clock, fields that contradict each other, the MIME tree, words that mix alphabets.
package structure

import (
	"context"
	_ "embed"

	"weir/filters"
	"weir/filters/mime"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// The symbols the check may report, besides the names of MIME oddities.
const (
	dateInvalid      = "DATE_INVALID"
	dateFuture       = "DATE_FUTURE"
	datePast         = "DATE_PAST"
	headerRepeated   = "HEADER_REPEATED"
	messageIDInvalid = "MSGID_INVALID"
	manyHops         = "MANY_HOPS"
	noRecipients     = "NO_RECIPIENTS"
	fromInvalid      = "FROM_INVALID"
	fromSeveral      = "FROM_SEVERAL"
	fromNameAddress  = "FROM_NAME_ADDRESS"
	fromScripts      = "FROM_MIXED_WORD"
	fromRecipient    = "FROM_IS_RECIPIENT"
	fromElsewhere    = "FROM_FREEMAIL_ELSEWHERE"
	replyFreemail    = "REPLYTO_FREEMAIL"
	subjectScripts   = "SUBJECT_MIXED_WORD"
	subjectRecipient = "SUBJECT_NAMES_RECIPIENT"
	subjectUser      = "SUBJECT_NAMES_USER"
	bodyScripts      = "BODY_MIXED_WORDS"
	bodyEmpty        = "BODY_EMPTY"
	bodyHTMLOnly     = "BODY_HTML_ONLY"
	bodyPictureOnly  = "BODY_PICTURE_ONLY"
	bodyHidden       = "BODY_HIDDEN_TEXT"
	fileExecutable   = "FILE_EXECUTABLE"
	fileDisguised    = "FILE_DISGUISED"
	fileHTML         = "FILE_HTML"
	linkMisleads     = "LINK_MISLEADS"
	linkManyHosts    = "LINK_MANY_HOSTS"
)

// inspections are what the check looks at, in order. Each returns what it finds.
var inspections = []func(filters.Mail) []filters.Hit{
	dates, repeatedFields, hops, messageIDs, addressees, senders, freemailElsewhere, replies, subjects, bodies, files, links, oddities,
}

// New makes the check. It looks nothing up and keeps nothing.
func New() filters.Check {
	symbols := []string{dateInvalid, dateFuture, datePast, headerRepeated, manyHops, messageIDInvalid, noRecipients,
		fromInvalid, fromSeveral, fromNameAddress, fromScripts, fromRecipient, fromElsewhere, replyFreemail,
		subjectScripts, subjectRecipient, subjectUser, bodyScripts, bodyEmpty, bodyHTMLOnly, bodyPictureOnly, bodyHidden,
		fileExecutable, fileDisguised, fileHTML, linkMisleads, linkManyHosts}
	return filters.Check{
		Name:    "structure",
		Doc:     "How the message is made: dates, fields, addresses, alphabets, files and the MIME tree",
		Stage:   filters.Body,
		Symbols: append(symbols, mime.OddityNames...),
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			var report filters.Report
			if m.Message == nil {
				return report, nil
			}
			for _, inspect := range inspections {
				if err := ctx.Err(); err != nil {
					return report, err
				}
				report.Hits = append(report.Hits, inspect(m)...)
			}
			return report, nil
		},
	}
}

// one is the findings of an inspection that found one thing.
func one(symbol, detail string) []filters.Hit { return []filters.Hit{{Symbol: symbol, Detail: detail}} }

func oddities(m filters.Mail) []filters.Hit {
	var found []filters.Hit
	for _, o := range m.Message.Oddities() {
		found = append(found, filters.Hit{Symbol: o.Name, Detail: o.Detail})
	}
	return found
}
