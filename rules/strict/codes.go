package strict

// Codes of findings. They are stable: a code is never given another meaning, and none is used again.
const (
	CodeRead      = "D001"
	CodeSyntax    = "D002"
	CodeEmpty     = "D003"
	CodeDocuments = "D004"
	CodeAliases   = "D005"
	CodeKey       = "D006"
	CodeTwice     = "D007"
	CodeType      = "D008"
	CodeValue     = "D009"
	CodeMany      = "D010"
)

// Titles says in one line what each code stands for.
func Titles() map[string]string {
	return map[string]string{
		CodeRead:      "A file cannot be read",
		CodeSyntax:    "The file is not YAML",
		CodeEmpty:     "The file is empty",
		CodeDocuments: "The file holds more than one YAML document",
		CodeAliases:   "YAML aliases stand for too much",
		CodeKey:       "A key is not known here",
		CodeTwice:     "A key stands twice",
		CodeType:      "A value is of the wrong kind",
		CodeValue:     "A value is not allowed",
		CodeMany:      "There are more findings than are shown",
	}
}
