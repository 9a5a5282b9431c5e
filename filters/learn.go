package filters

import (
	"context"
	"fmt"
	"time"
)

// Outcome is what became of a transaction.
type Outcome struct {
	Delivered bool // the backend has accepted the message
	Refused   bool // the rules have refused or deferred it
	Deferred  bool // of these: deferred
	Marked    bool // the rules have marked it, or worse
	RcptNo    int  // recipients that the backend did not accept

	Facts Facts // what the checks had found out
}

// learnWait bounds how long a session waits for its outcome to be remembered.
const learnWait = 100 * time.Millisecond

// Learn tells the checks that remember outcomes what became of m, which was judged before. It is the only way back: what
// they do with it is to count. It returns what went wrong; nothing depends on it. Any goroutine may call it.
func (p *Pipeline) Learn(ctx context.Context, m Mail, o Outcome) []Problem {
	ctx, cancel := context.WithTimeout(ctx, learnWait)
	defer cancel()
	var problems []Problem
	for i := range p.checks {
		if c := &p.checks[i]; c.Learn != nil {
			if err := c.learn(ctx, m, o); err != nil {
				problem := problemOf(err)
				problem.Check = c.Name
				problems = append(problems, problem)
			}
		}
	}
	return problems
}

func (c *Check) learn(ctx context.Context, m Mail, o Outcome) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicError{cause}
		}
	}()
	if err := c.Learn(ctx, m, o); err != nil {
		return fmt.Errorf("learning: %w", err)
	}
	return nil
}
