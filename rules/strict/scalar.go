package strict

import (
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as 500B, 256KiB, 25MiB or 5GiB.
type Size int64

var sizeUnits = [...]string{"B", "KiB", "MiB", "GiB", "TiB"}

// String writes the size with the largest unit that fits: "25MiB".
func (s Size) String() string {
	unit := 0
	for s != 0 && s%1024 == 0 && unit < len(sizeUnits)-1 {
		s, unit = s/1024, unit+1
	}
	return strconv.FormatInt(int64(s), 10) + sizeUnits[unit]
}

// UnmarshalText reads a size. A number without a unit is bytes.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BKMGTi")
	unit := string(text[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return fmt.Errorf("%q must be a size like 500B, 256KiB or 25MiB", text)
	}
	if unit == "" {
		unit = "B"
	}
	for power, name := range sizeUnits {
		if unit == name {
			if n > math.MaxInt64>>(10*power) {
				return fmt.Errorf("%q is too large a size", text)
			}
			*s = Size(n << (10 * power))
			return nil
		}
	}
	return fmt.Errorf("%q has no known unit; use B, KiB, MiB, GiB or TiB", text)
}

var durationPattern = regexp.MustCompile(`^(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,6})ms)?$`)

var durationUnits = [...]time.Duration{
	7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second, time.Millisecond,
}

// maxDuration is the longest duration that can be said.
const maxDuration = 10 * 366 * 24 * time.Hour

// parseDuration reads 1500ms, 10m, 1h30m, 36d.
func parseDuration(text string) (time.Duration, error) {
	groups := durationPattern.FindStringSubmatch(text)
	if groups == nil || text == "" {
		if text == "0" {
			return 0, nil
		}
		return 0, fmt.Errorf("%q must be a duration like 1500ms, 10m, 1h30m or 36d", text)
	}
	var sum time.Duration
	for i, digits := range groups[1:] {
		n, _ := strconv.Atoi(digits)
		if time.Duration(n) > maxDuration/durationUnits[i] {
			return 0, fmt.Errorf("%q is longer than ten years", text)
		}
		sum += time.Duration(n) * durationUnits[i]
	}
	return sum, nil
}

// parseTime reads a date (its beginning in UTC) or a time as in RFC 3339.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q must be a date like 2027-03-01 or a time like 2027-03-01T12:00:00Z", text)
}

// ParseAddr reads an IP address without zone; an IPv4 address in IPv6 form is the IPv4 address.
func ParseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q must be an IP address", text)
	}
	return a.Unmap(), nil
}

// ParsePrefix reads a network; a single address is a network of one.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q must be a network like 192.0.2.0/24 or 2001:db8::/32", text)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q must be written as an IPv4 network", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; did you mean %s?", text, p.Masked())
	}
	return p, nil
}

// SecretText is a text that may hold secrets. Display is the text without them.
type SecretText struct{ Text, Display string }

// DecodeYAML reads a text and expands its secrets.
func (s *SecretText) DecodeYAML(v Value) error {
	if !v.IsSecret() {
		text, err := v.Text()
		*s = SecretText{text, text}
		return err
	}
	var err error
	*s, err = expandSecrets(resolve(v.node).Value)
	return err
}

var secretPattern = regexp.MustCompile(`\$\{(env|file):([^}]*)\}`)

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// expandSecrets replaces ${env:X} by an environment variable and ${file:/path} by the contents of a file without the
// blanks around them.
func expandSecrets(text string) (SecretText, error) {
	var failure error
	full := secretPattern.ReplaceAllStringFunc(text, func(one string) string {
		m := secretPattern.FindStringSubmatch(one)
		secret, err := secretOf(m[1], m[2])
		if err != nil && failure == nil {
			failure = fmt.Errorf("%s: %w", one, err)
		}
		return secret
	})
	return SecretText{Text: full, Display: secretPattern.ReplaceAllString(text, "")}, failure
}

func secretOf(kind, name string) (string, error) {
	if kind == "env" {
		secret, ok := os.LookupEnv(name)
		if !ok || secret == "" {
			return "", fmt.Errorf("the environment variable is not set")
		}
		return secret, nil
	}
	if !strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("the path of a secret must begin with /")
	}
	// A pipe or a device could keep a reload waiting for ever.
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("there is no such file")
	}
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("the file cannot be opened")
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSecret))
	if err != nil {
		return "", fmt.Errorf("the file cannot be read")
	}
	if secret := strings.TrimSpace(string(content)); secret != "" {
		return secret, nil
	}
	return "", fmt.Errorf("the file is empty")
}
