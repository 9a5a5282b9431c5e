//go:build !linux

package proxy

// peerOf knows nothing here: a client has heard a 250 only when it says something after it.
func peerOf(uintptr) *peer { return nil }
