package rules

// Features are what `when:` expressions may read besides symbols. The `expr` tags are the names rules use.
// A feature that is not known (a number of a message before DATA, say) is zero.
type Features struct {
	Size        int          `expr:"size"`        // bytes of the message
	Parts       int          `expr:"parts"`       // leaf parts
	Attachments int          `expr:"attachments"` // parts offered as files
	URLs        int          `expr:"urls"`        // distinct links
	Recipients  int          `expr:"recipients"`  // accepted recipients of this message
	Hops        int          `expr:"hops"`        // Received lines
	User        string       `expr:"user"`        // authenticated user, "" for strangers
	Helo        string       `expr:"helo"`
	RDNS        string       `expr:"rdns"`
	TLS         bool         `expr:"tls"`
	From        string       `expr:"from"`        // envelope sender
	FromDomain  string       `expr:"from_domain"` // of the From header
	Listener    string       `expr:"listener"`
	Bulk        BulkFeatures `expr:"bulk"`
}

// BulkFeatures are the counts of alike messages.
type BulkFeatures struct {
	Alike       int `expr:"alike"`
	AlikeStrict int `expr:"alike_strict"`
	Networks    int `expr:"networks"`
	Senders     int `expr:"senders"`
	Recipients  int `expr:"recipients"`
}
