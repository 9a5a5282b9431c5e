package bulk

import (
	"math"
	"testing"
)

func TestGrade(t *testing.T) {
	none := math.MaxInt
	text := &print{pairs: make([]uint64, 40), share: 1}
	for name, c := range map[string]struct {
		candidate
		want grade
	}{
		"forgotten":                        {candidate{exact: true, picture: none}, unlike},
		"an equal text":                    {candidate{members: 1, exact: true, picture: none}, strict},
		"nothing":                          {candidate{members: 1, core: 40, picture: none}, unlike},
		"much on both sides":               {candidate{members: 1, core: 40, pairs: 24, votes: 24, picture: none}, strict},
		"much, but others say it":          {candidate{members: 1, core: 40, pairs: 24, votes: 6, picture: none}, loose},
		"nearly all, though others say it": {candidate{members: 1, core: 40, pairs: 32, votes: 6, picture: none}, strict},
		"a passage of a long text":         {candidate{members: 1, core: 400, pairs: 12, votes: 12, spread: 4, picture: none}, unlike},
		"pasted into other text":           {candidate{members: 9, core: 20, pairs: 18, votes: 18, picture: none}, strict},
		"a little, scattered":              {candidate{members: 9, core: 30, pairs: 12, votes: 9, spread: 10, once: 12, picture: none}, loose},
		"a little, in one piece":           {candidate{members: 9, core: 30, pairs: 12, votes: 9, spread: 4, once: 12, picture: none}, unlike},
		"nearer to one than to all":        {candidate{members: 9, core: 30, pairs: 12, votes: 9, spread: 10, once: 36, picture: none}, unlike},
		"nearly all of it in another":      {candidate{members: 1, core: 100, pairs: 34, votes: 34 * .5, picture: none}, loose},
		"the same address and some text":   {candidate{members: 1, core: 40, pairs: 11, votes: 10, payload: 1, picture: none}, strict},
		"the same picture":                 {candidate{members: 1, core: 40, picture: samePicture}, strict},
		"much the same picture":            {candidate{members: 1, core: 40, picture: farPicture}, loose},
		"another picture":                  {candidate{members: 1, core: 40, picture: farPicture + 1}, unlike},
	} {
		if got := c.grade(text); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	long := &print{pairs: make([]uint64, 96), share: 1}
	footer := candidate{members: 9, core: 18, pairs: 17, votes: 17, spread: 4, once: 17, picture: none}
	if got := footer.grade(long); got != unlike {
		t.Errorf("a footer below a long text: %v", got)
	}
}
