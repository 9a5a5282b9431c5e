package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"demo"}, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	for _, want := range []string{"the randomised campaign", "BULK_MANY", "the sum", "Everything happened as it should have."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	if strings.Contains(errs.String(), "\r") {
		t.Error("a progress bar was drawn although nobody watches")
	}
}
