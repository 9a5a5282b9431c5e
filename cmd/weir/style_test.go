package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The bounds of a place one can hold in one's head. An exception needs its reason here.
const (
	maxFuncLines  = 60
	maxFileLines  = 400
	maxFields     = 15
	maxParameters = 4
)

var badPackageNames = []string{"util", "utils", "common", "helpers", "misc", "base", "core", "types", "models", "manager", "interfaces"}

// replyMaker is the one file that may make SMTP replies.
const replyMaker = "proxy/reply.go"

func TestStyle(t *testing.T) {
	set := token.NewFileSet()
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(set, filepath.Join("../..", file), nil, parser.ParseComments)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		if lines := set.Position(parsed.FileEnd).Line; lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", file, lines, maxFileLines)
		}
		if slices.Contains(badPackageNames, parsed.Name.Name) {
			t.Errorf("%s: package name %s says nothing", file, parsed.Name.Name)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			checkNode(t, set, file, n)
			return true
		})
	}
}

// parameters counts the parameters of a function; a context, which every function that waits has, does not count.
func parameters(list *ast.FieldList) int {
	n := list.NumFields()
	if n > 0 {
		if sel, ok := list.List[0].Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
			n--
		}
	}
	return n
}

func checkNode(t *testing.T, set *token.FileSet, file string, n ast.Node) {
	t.Helper()
	at := func(n ast.Node) token.Position { return set.Position(n.Pos()) }
	switch n := n.(type) {
	case *ast.FuncDecl:
		if lines := set.Position(n.End()).Line - at(n).Line; lines > maxFuncLines {
			t.Errorf("%s: function %s has %d lines, more than %d", at(n), n.Name.Name, lines, maxFuncLines)
		}
		if params := parameters(n.Type.Params); params > maxParameters {
			t.Errorf("%s: function %s has %d parameters, more than %d", at(n), n.Name.Name, params, maxParameters)
		}
		if n.Name.Name == "init" && n.Recv == nil {
			t.Errorf("%s: init functions hide what a program does", at(n))
		}
	case *ast.StructType:
		if fields := n.Fields.NumFields(); fields > maxFields {
			t.Errorf("%s: struct of %d fields, more than %d", at(n), fields, maxFields)
		}
	case *ast.SelectorExpr:
		if name, ok := n.X.(*ast.Ident); ok {
			switch name.Name + "." + n.Sel.Name {
			case "os.Exit", "log.Fatal", "log.Fatalf":
				if file != "cmd/weir/main.go" {
					t.Errorf("%s: %s.%s outside main.go", at(n), name.Name, n.Sel.Name)
				}
			}
		}
	case *ast.CompositeLit:
		if sel, ok := n.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "SMTPError" && file != replyMaker {
			t.Errorf("%s: only %s makes SMTP replies", at(n), replyMaker)
		}
	}
}
