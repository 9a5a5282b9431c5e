package store_test

import (
	"testing"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return store.NewMemory(16 << 20) })
}
