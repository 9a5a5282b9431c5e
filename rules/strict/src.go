package strict

import "fmt"

// Src is where in the operator's files something was said. File is as included; builtin files are "builtin:NAME".
type Src struct {
	File      string
	Line, Col int
}

// String writes "rules.yaml:61:9".
func (s Src) String() string {
	if s.Line == 0 {
		return s.File
	}
	return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Col)
}

// MarshalText writes what String does.
func (s Src) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
