package dns

import "testing"

func TestLinkOf(t *testing.T) {
	for subject, want := range map[string][2]string{
		"192.0.2.7": {"192.0.2.7", "192.0.2.7"}, "2001:db8::7": {"2001:db8::7", "2001:db8::7"}, "a.example": {"a.example", "a.example"},
		"ann@a.example": {"ann@a.example", "ann@a.example"}, "a.example/x": {"a.example/x", "a.example"},
		"http://a.example": {"a.example/", "a.example"}, "https://ann@a.example:8443/x/y?z#t": {"a.example/x/y", "a.example"},
		"http://[2001:db8::7]:80/x": {"2001:db8::7/x", "2001:db8::7"}, "http://192.0.2.7?x": {"192.0.2.7/", "192.0.2.7"},
	} {
		if link, host := linkOf(subject); link != want[0] || host != want[1] {
			t.Errorf("%s: got %q, %q", subject, link, host)
		}
	}
}
