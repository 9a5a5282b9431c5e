//go:build !linux

package main

// clockRunsFree is not known here.
func clockRunsFree() bool { return false }
