package sink

import (
	"encoding/base64"
	"strings"
)

// auth takes PLAIN and LOGIN of the script's users.
func (d *dialogue) auth(arg string) error {
	script, _ := d.sink.now()
	mechanism, initial, given := strings.Cut(arg, " ")
	var said []string
	ask := func(challenge string) error {
		if err := d.write("334 " + challenge); err != nil {
			return err
		}
		line, err := d.line()
		said = append(said, decoded(line))
		return err
	}
	if given {
		said = append(said, decoded(initial))
	}
	challenges := map[string][]string{"PLAIN": {""}, "LOGIN": {"VXNlcm5hbWU6", "UGFzc3dvcmQ6"}}[strings.ToUpper(mechanism)]
	if challenges == nil {
		return d.write("504 5.5.4 unknown mechanism")
	}
	for _, challenge := range challenges[min(len(said), len(challenges)):] {
		if err := ask(challenge); err != nil {
			return err
		}
	}
	words := said
	if len(said) == 1 {
		words = strings.Split(said[0], "\x00")
	}
	user, password := words[max(len(words)-2, 0)], words[len(words)-1]
	if want, known := script.Users[user]; !known || want != password {
		return d.write("535 5.7.8 no")
	}
	return d.write("235 2.7.0 welcome")
}

// decoded is "" for what is not base64.
func decoded(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}
