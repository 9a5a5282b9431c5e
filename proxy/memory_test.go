package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryForgetsAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory[int, string]
		if got := m.recall(1, time.Hour); got != "" {
			t.Errorf("an empty memory recalls %q", got)
		}
		m.keep(1, "one", time.Hour)
		time.Sleep(59 * time.Minute)
		if got := m.recall(1, time.Hour); got != "one" {
			t.Errorf("within its life it is %q", got)
		}
		time.Sleep(2 * time.Hour)
		if got := m.recall(1, time.Hour); got != "" {
			t.Errorf("after two lives it is still %q", got)
		}
		for i := range 3 * remembered {
			m.keep(i, "x", time.Hour)
		}
		if n := len(m.young) + len(m.old); n > remembered {
			t.Errorf("it holds %d, more than %d", n, remembered)
		}
		if m.recall(3*remembered-1, time.Hour) == "" {
			t.Error("the last was forgotten")
		}
	})
}
