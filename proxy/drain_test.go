package proxy

import (
	"context"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

func TestADrainLetsTransactionsFinish(t *testing.T) {
	f := newFront(t, nil)
	idle, busy := f.hello(), f.rcpt()
	drained := make(chan error, 1)
	go func() { drained <- f.Drain(context.Background()) }()
	idle.expect("421 4.3.2")
	idle.expect("")
	f.connect().expect("421 4.3.2")
	busy.cmd("RCPT TO:<eve@weir.example>", "250")
	busy.data(note, "250")
	busy.expect("421 4.3.2")
	busy.expect("")
	idle.conn.Close()
	busy.conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if n := len(f.taken()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestADrainHasAnEnd(t *testing.T) {
	f := newFront(t, nil)
	f.rcpt()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := f.Drain(ctx); err == nil {
		t.Error("an open transaction was drained")
	}
}

// When the context of Serve ends nobody is waited for, not even a backend that hangs.
func TestServeEndsAtOnce(t *testing.T) {
	f := newFront(t, func(f *front) { f.Backend.Timeout = time.Hour })
	f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Hang}}})
	c := f.rcpt()
	c.cmd("DATA", "354")
	c.send(note + ".\r\n")
	f.hello()
	f.until("message at the backend", func() bool {
		cmds := f.sink.Commands()
		return cmds[len(cmds)-1] == "DATA"
	})
	f.cancel()
	if got := c.reply(); got != "" && got[0] != '4' {
		t.Errorf("reply %q", got)
	}
	if err := <-f.ended; err != nil {
		t.Error(err)
	}
	f.ended <- nil
}
