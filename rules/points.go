package rules

import (
	"fmt"
	"strconv"
	"strings"

	"weir/rules/strict"
)

// Points is the worth of a symbol in hundredths, so that sums are exact and independent of order.
type Points int32

// maxPoints bounds a single weight or threshold (10,000.00), so that no sum of a message can overflow.
const maxPoints Points = 10_000_00

// ParsePoints reads a decimal with at most two decimals, such as "4", "-2.3" or "12.50".
func ParsePoints(s string) (Points, error) {
	digits := s
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		digits = s[1:]
	}
	whole, frac, dotted := strings.Cut(digits, ".")
	if len(frac) > 2 {
		return 0, fmt.Errorf("%q has more than two decimals", s)
	}
	if whole == "" || dotted && frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a number like 4 or -2.35", s)
	}
	n, err := strconv.Atoi(whole + (frac + "00")[:2])
	if err != nil || n > int(maxPoints) {
		return 0, fmt.Errorf("%q is beyond %s", s, maxPoints)
	}
	if negative {
		n = -n
	}
	return Points(n), nil
}

// String writes p with two decimals: "14.30".
func (p Points) String() string {
	sign, n := "", int64(p)
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// MarshalJSON writes p as a JSON number with two decimals.
func (p Points) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads what MarshalJSON wrote, or any JSON number with at most two decimals.
func (p *Points) UnmarshalJSON(b []byte) error {
	v, err := ParsePoints(string(b))
	if err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	*p = v
	return nil
}

// DecodeYAML reads points as ParsePoints does.
func (p *Points) DecodeYAML(v strict.Value) error {
	if v.IsQuoted() {
		return fmt.Errorf("%s must be a number without quotes", v.Quoted())
	}
	return v.Scalar(func(text string) (err error) { *p, err = ParsePoints(text); return err })
}

// DecodeYAML reads points or "off".
func (t *Threshold) DecodeYAML(v strict.Value) error {
	if text, err := v.Text(); err == nil && text == "off" {
		*t = Threshold{Off: true}
		return nil
	}
	*t = Threshold{}
	return t.Points.DecodeYAML(v)
}
