// Package strict reads what the operator writes in YAML, and says everything that is wrong with it.
//
// Decode fills Go values from a file by their tags. A key that nothing reads, a key that stands twice, a value of the
// wrong kind: each is a Finding with a stable code, its place and what was perhaps meant, and all come at once. A
// Value is a part of a file that remembers its place, for findings that only the reader of the values can make.
package strict
