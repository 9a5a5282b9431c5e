//go:build race

package proxy

// raceDetector: every allocation has a shadow, so that a measure of memory means nothing.
const raceDetector = true
