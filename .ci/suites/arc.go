package main

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"weir/filters"
	"weir/filters/auth"
	"weir/filters/lookup"
)

// arc runs a file of the ARC suite: whole messages, the keys, and what becomes of the chain.
func arc(s *suite, path string) error {
	return documents(path, func(decode func(any) error) error {
		var scenario struct {
			Tests   yaml.Node         // some names stand twice
			Records map[string]string `yaml:"txt-records"`
		}
		if err := decode(&scenario); err != nil {
			return err
		}
		records := map[string][]string{}
		for name, text := range scenario.Records {
			records[name] = []string{quoted(strings.Join(strings.Fields(text), " "))}
		}
		zone, err := lookup.MapZone(records)
		if err != nil {
			return err
		}
		check := auth.NewARC(lookup.FromZone(zone))
		return eachCase(scenario.Tests, func(name string, decode func(any) error) error {
			var test struct{ Message, CV string }
			if err := decode(&test); err != nil {
				return err
			}
			want := strings.ToLower(test.CV)
			if want == "" {
				want = "fail" // the last to seal says so himself
			}
			ctx, cancel := bounded()
			raw := strings.ReplaceAll(test.Message, "\n", "\r\n")
			report, err := check.Run(ctx, filters.Mail{At: time.Now(), Message: filters.ParseMessage([]byte(raw))})
			cancel()
			if err != nil {
				return err
			}
			got := report.Facts.Auth.ARC
			s.settle(got.Result == want, name, "%s, want %s: %s", got.Result, want, got.Reason)
			return nil
		})
	})
}

// quoted is a TXT record as zones have it, in strings of at most 255 bytes.
func quoted(text string) string {
	var out strings.Builder
	out.WriteString("TXT")
	for more := true; more; more = text != "" {
		n := min(len(text), 255)
		out.WriteString(` "` + escape(text[:n]) + `"`)
		text = text[n:]
	}
	return out.String()
}

func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
}
