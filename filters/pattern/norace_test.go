//go:build !race

package pattern

// rounds is how many random texts are compared.
const rounds = 300
