package proxy

import (
	"sync"
	"time"
)

// remembered is the most that one memory holds.
const remembered = 100_000

// memory keeps what clients did for a while, and never more than it may: when it is full or a life has passed, what is
// younger becomes old and what was old is forgotten. The zero value is ready.
type memory[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]V
	turned     time.Time
}

// keep remembers value under key for about life.
func (m *memory[K, V]) keep(key K, value V, life time.Duration) {
	m.change(key, life, func(V) V { return value })
}

// change makes of what is kept under key something else, and returns that.
func (m *memory[K, V]) change(key K, life time.Duration, to func(V) V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(life)
	v, ok := m.young[key]
	if !ok {
		v = m.old[key]
	}
	v = to(v)
	m.young[key] = v
	return v
}

// recall returns what was kept under key within the last life or two, and the zero value otherwise.
func (m *memory[K, V]) recall(key K, life time.Duration) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(life)
	if v, ok := m.young[key]; ok {
		return v
	}
	return m.old[key]
}

// forget drops what is kept under key.
func (m *memory[K, V]) forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, key)
	delete(m.old, key)
}

// turn forgets what is too old. Time is that of the machine's running, so a clock that is set changes nothing.
func (m *memory[K, V]) turn(life time.Duration) {
	passed := time.Since(m.turned)
	switch {
	case m.young == nil, passed > 2*life:
		m.young, m.old = map[K]V{}, nil
	case passed > life, len(m.young) >= remembered/2:
		m.young, m.old = map[K]V{}, m.young
	default:
		return
	}
	m.turned = time.Now()
}
