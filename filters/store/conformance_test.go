package store_test

import (
	"testing"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

func TestConformance(t *testing.T) {
	// With another secret another sample stands for a large set, and may miss by more than the test allows.
	storetest.Run(t, func(*testing.T) store.Store { return store.NewSeeded(16<<20, [16]byte{1}) })
}
