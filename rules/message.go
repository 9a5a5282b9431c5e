package rules

import (
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
	"unicode/utf8"
)

// The texts of refusals and deferrals if no file says one.
const (
	defaultReject = "Message refused as likely spam{{ if .reasons }} ({{ .reasons }}){{ end }}. Reference {{ .id }}."
	defaultDefer  = "Message deferred, try again later. Reference {{ .id }}"
)

// replies are the texts of refusals and deferrals; nil for the default.
type replies struct{ rejected, deferred *message }

// message is a text for senders: the small part of Go's templates that is fields and `if` on fields.
type message struct{ nodes *parse.ListNode }

// templateError is what is wrong with a template, and at which byte.
type templateError struct {
	offset int
	text   string
}

func (e *templateError) Error() string { return e.text }

// parseMessage parses text, which may use the given fields.
func parseMessage(text string, fields ...string) (*message, *templateError) {
	tree := parse.New("text")
	tree.Mode = parse.SkipFuncCheck
	tree, err := tree.Parse(text, "", "", map[string]*parse.Tree{})
	if err != nil {
		_, what, _ := strings.Cut(err.Error(), "template: text:")
		if _, after, ok := strings.Cut(what, ": "); ok {
			what = after
		}
		return nil, &templateError{max(0, strings.Index(text, "{{")), what}
	}
	if err := checkMessage(tree.Root, fields); err != nil {
		return nil, err
	}
	return &message{tree.Root}, nil
}

func checkMessage(list *parse.ListNode, fields []string) *templateError {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var err *templateError
		switch n := n.(type) {
		case *parse.TextNode:
		case *parse.ActionNode:
			err = checkField(n.Pipe, fields)
		case *parse.IfNode:
			for _, e := range []*templateError{checkField(n.Pipe, fields), checkMessage(n.List, fields), checkMessage(n.ElseList, fields)} {
				if err == nil {
					err = e
				}
			}
		default:
			err = &templateError{int(n.Position()), fmt.Sprintf("%s cannot be used here", n)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkField(pipe *parse.PipeNode, fields []string) *templateError {
	if name, ok := fieldOf(pipe); ok && slices.Contains(fields, name) {
		return nil
	}
	return &templateError{int(pipe.Position()), fmt.Sprintf("{{ %s }} is not known here", pipe)}
}

// fieldOf is the name if pipe is one field: .name.
func fieldOf(pipe *parse.PipeNode) (string, bool) {
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return "", false
	}
	field, ok := pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(field.Ident) != 1 {
		return "", false
	}
	return field.Ident[0], true
}

// render prints the message with the values of its fields.
func (m *message) render(values map[string]string) string {
	var b strings.Builder
	printNodes(&b, m.nodes, values)
	return b.String()
}

func printNodes(b *strings.Builder, list *parse.ListNode, values map[string]string) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			b.Write(n.Text)
		case *parse.ActionNode:
			name, _ := fieldOf(n.Pipe)
			b.WriteString(values[name])
		case *parse.IfNode:
			if name, _ := fieldOf(n.Pipe); values[name] != "" {
				printNodes(b, n.List, values)
			} else {
				printNodes(b, n.ElseList, values)
			}
		}
	}
}

// message parses a text for senders, nil if it is wrong.
func (l *loading) message(text said[string], fields ...string) *message {
	if !oneLine(text.V) {
		l.hintAt(text.At, codeTemplate, "a text for senders must be one line", "it becomes a part of an SMTP reply")
		return nil
	}
	m, err := parseMessage(text.V, fields...)
	if err == nil {
		return m
	}
	f := text.At.FindingWithin(utf8.RuneCountInString(text.V[:min(err.offset, len(text.V))]), codeTemplate, err.text)
	f.Hint = "there are no fields here; write plain text"
	if len(fields) > 0 {
		f.Hint = "the fields are {{ ." + strings.Join(fields, " }}, {{ .") + " }}"
	}
	l.add(f)
	return nil
}

// replyTexts sets the texts of refusals and deferrals; the last file that says one holds.
func (l *loading) replyTexts() {
	for _, doc := range l.files {
		for _, text := range []said[string]{doc.Reject.Text, doc.Defer.Text} {
			if text.At.Said() && text.V == "" {
				l.hintAt(text.At, codeTemplate, "a text for senders says nothing", "drop the key, and there is one")
			}
		}
		if doc.Reject.Text.V != "" {
			l.set.replies.rejected = l.message(doc.Reject.Text, "reasons", "id")
		}
		if doc.Defer.Text.V != "" {
			l.set.replies.deferred = l.message(doc.Defer.Text, "reasons", "id")
		}
	}
}

// RejectMessage is the text of a refusal, with the public reasons and the id of the record filled in: what the files
// say, or the default text.
func (s *Set) RejectMessage(reasons []string, id string) string {
	return filledIn(s.replies.rejected, defaultReject, reasons, id)
}

// DeferMessage is likewise the text of a deferral.
func (s *Set) DeferMessage(reasons []string, id string) string {
	return filledIn(s.replies.deferred, defaultDefer, reasons, id)
}

func filledIn(m *message, standard string, reasons []string, id string) string {
	if m == nil {
		m, _ = parseMessage(standard, "reasons", "id")
	}
	return m.render(map[string]string{"reasons": strings.Join(reasons, ", "), "id": id})
}
