package mime

import "strings"

func asciiHost(h string) string { return strings.ToLower(h) }
