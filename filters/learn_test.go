package filters

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Each check that remembers outcomes hears of each; what goes wrong in one stays there.
func TestLearn(t *testing.T) {
	var heard []Outcome
	p := NewPipeline(time.Second,
		Check{Name: "panics", Learn: func(context.Context, Mail, Outcome) error { panic("boom") }},
		Check{Name: "fails", Learn: func(context.Context, Mail, Outcome) error { return errors.New("no") }},
		Check{Name: "does not"},
		Check{Name: "waits", Learn: func(ctx context.Context, _ Mail, _ Outcome) error { <-ctx.Done(); return ctx.Err() }},
		Check{Name: "hears", Learn: func(_ context.Context, _ Mail, o Outcome) error { heard = append(heard, o); return nil }})
	want := Outcome{Delivered: true, RcptNo: 2}
	problems := p.Learn(t.Context(), Mail{}, want)
	if len(heard) != 1 || heard[0] != want {
		t.Errorf("heard %v", heard)
	}
	kinds := map[string]string{}
	for _, problem := range problems {
		kinds[problem.Check] = problem.Kind
	}
	if len(kinds) != 3 || kinds["panics"] != KindPanic || kinds["fails"] != KindFailed || kinds["waits"] != KindTimeout {
		t.Errorf("problems %v", problems)
	}
}
