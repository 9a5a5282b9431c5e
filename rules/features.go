package rules

// Features are what `when:` expressions may read besides symbols, under the same names in rules and in records.
// A feature that is not known (a number of a message before DATA, say) is zero.
type Features struct {
	Size       int          `json:"size,omitzero" expr:"size"`             // bytes of the message
	Parts      int          `json:"parts,omitzero" expr:"parts"`           // leaf parts
	URLs       int          `json:"urls,omitzero" expr:"urls"`             // distinct links
	Recipients int          `json:"recipients,omitzero" expr:"recipients"` // accepted recipients of this message
	Hops       int          `json:"hops,omitzero" expr:"hops"`             // Received lines
	User       string       `json:"user,omitzero" expr:"user"`             // authenticated user, "" for strangers
	Helo       string       `json:"helo,omitzero" expr:"helo"`
	RDNS       string       `json:"rdns,omitzero" expr:"rdns"`
	TLS        bool         `json:"tls,omitzero" expr:"tls"`
	From       string       `json:"from,omitzero" expr:"from"`               // envelope sender
	FromDomain string       `json:"from_domain,omitzero" expr:"from_domain"` // of the From header
	Listener   string       `json:"listener,omitzero" expr:"listener"`
	Bulk       BulkFeatures `json:"bulk,omitzero" expr:"bulk"`
	ContentFeatures
	SenderFeatures
}

// ContentFeatures are what is found in the files and the HTML of a message.
type ContentFeatures struct {
	Attachments int          `json:"attachments,omitzero" expr:"attachments"` // parts offered as files
	Files       FileFeatures `json:"files,omitzero" expr:"files"`
	HTML        HTMLFeatures `json:"html,omitzero" expr:"html"`
}

// FileFeatures count the parts offered as files by what they are.
type FileFeatures struct {
	Programs  int `json:"programs,omitzero" expr:"programs"`   // by content, those in archives included
	Archives  int `json:"archives,omitzero" expr:"archives"`   // with names in them
	Encrypted int `json:"encrypted,omitzero" expr:"encrypted"` // that need a password
	Macros    int `json:"macros,omitzero" expr:"macros"`       // documents of Office with programs in them
}

// HTMLFeatures are how the HTML of a message is made.
type HTMLFeatures struct {
	Hidden  int `json:"hidden,omitzero" expr:"hidden"`   // bytes of letters and digits that a reader does not see
	Share   int `json:"share,omitzero" expr:"share"`     // percent of all letters and digits that these are
	Tiny    int `json:"tiny,omitzero" expr:"tiny"`       // bytes of letters and digits hidden by a tiny font
	Links   int `json:"links,omitzero" expr:"links"`     // elements that lead somewhere on the net
	Images  int `json:"images,omitzero" expr:"images"`   // img
	Forms   int `json:"forms,omitzero" expr:"forms"`     // form
	Scripts int `json:"scripts,omitzero" expr:"scripts"` // script
}

// SenderFeatures are what was found out about who has sent a message. A result is "" if it was not looked for.
type SenderFeatures struct {
	SPF   string       `json:"spf,omitzero" expr:"spf"`     // none neutral pass fail softfail temperror permerror
	DMARC string       `json:"dmarc,omitzero" expr:"dmarc"` // none pass fail temperror permerror
	Auth  AuthFeatures `json:"auth,omitzero" expr:"auth"`
}

// AuthFeatures are the rest of it.
type AuthFeatures struct {
	Aligned bool   `json:"aligned,omitzero" expr:"aligned"` // a proven domain belongs to the author's organisation
	DKIM    string `json:"dkim,omitzero" expr:"dkim"`       // the best result of all signatures, "none" without one
	ARC     string `json:"arc,omitzero" expr:"arc"`         // none pass fail temperror
	Policy  string `json:"policy,omitzero" expr:"policy"`   // what the author's domain asks for: none quarantine reject
	Sealer  string `json:"sealer,omitzero" expr:"sealer"`   // who sealed a valid ARC chain last
}

// BulkFeatures are the counts of alike messages.
type BulkFeatures struct {
	Alike       int `json:"alike,omitzero" expr:"alike"`
	AlikeStrict int `json:"alike_strict,omitzero" expr:"alike_strict"`
	Networks    int `json:"networks,omitzero" expr:"networks"`
	Senders     int `json:"senders,omitzero" expr:"senders"`
	Recipients  int `json:"recipients,omitzero" expr:"recipients"`
	BulkMoreFeatures
}

// BulkMoreFeatures are the rest of them.
type BulkMoreFeatures struct {
	HeaderDomains int `json:"header_domains,omitzero" expr:"header_domains"` // of From headers
	Signers       int `json:"signers,omitzero" expr:"signers"`               // domains with a valid DKIM signature
	Subjects      int `json:"subjects,omitzero" expr:"subjects"`
	Traps         int `json:"traps,omitzero" expr:"traps"`           // messages to a trap
	Refused       int `json:"refused,omitzero" expr:"refused"`       // earlier messages that the rules have refused or deferred
	Complaints    int `json:"complaints,omitzero" expr:"complaints"` // messages that people have called spam
	Mine          int `json:"mine,omitzero" expr:"mine"`             // of alike_strict, those of this authenticated user
}
