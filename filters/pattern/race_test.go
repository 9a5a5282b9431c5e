//go:build race

package pattern

// rounds is how many random texts are compared. The race detector makes package regexp forty times slower and finds nothing in
// it; all rounds run without it.
const rounds = 40
