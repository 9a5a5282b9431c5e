package rules

import (
	"cmp"
	"maps"
	"slices"

	"weir/rules/strict"
)

// Codes of findings. They are stable: a code is never given another meaning, and none is used again.
const (
	codeVersion    = "R001"
	codeInclude    = "R002"
	codeMissing    = "R003"
	codeName       = "R004"
	codeDefined    = "R005"
	codeZone       = "R006"
	codeAsk        = "R007"
	codeAnswer     = "R008"
	codeTemplate   = "R009"
	codeList       = "R010"
	codeEntry      = "R011"
	codeUnused     = "R012"
	codeWindow     = "R013"
	codeMatcher    = "R014"
	codeRegex      = "R015"
	codeBoundary   = "R016"
	codeNever      = "R017"
	codeWhen       = "R018"
	codeSymbol     = "R019"
	codeCycle      = "R020"
	codeCheck      = "R021"
	codeProof      = "R022"
	codeOverride   = "R023"
	codeExpired    = "R024"
	codeFamily     = "R025"
	codePolicy     = "R026"
	codeThresholds = "R027"
	codeReach      = "R028"
	codeTest       = "R029"
	codeFailed     = "R030"
	codeAlways     = "R031"
	codeDead       = "R032"
	codeAsking     = "R033"
	codeUse        = "R034"
	codeGreylist   = "R035"
	codeSaved      = "R036"
	codeAllow      = "R037"
	codeMark       = "R038"
)

var titles = map[string]string{

	codeVersion:    "The version of the language is missing or not known",
	codeInclude:    "A file cannot be included",
	codeMissing:    "A key that is needed is missing",
	codeName:       "A name is not written as names are",
	codeDefined:    "A name is defined twice",
	codeZone:       "The name of a zone is not a domain",
	codeAsk:        "A zone is asked for something that is not known",
	codeAnswer:     "An answer of a zone is not written as answers are, or can never come",
	codeTemplate:   "A text for senders has a part that is not known",
	codeList:       "A list is not known or of the wrong type",
	codeEntry:      "An entry of a list is not of the list's type",
	codeUnused:     "A list is used by nothing",
	codeWindow:     "A window of counting makes no sense",
	codeMatcher:    "A rule does not say exactly one thing to look for",
	codeRegex:      "A regular expression is wrong",
	codeBoundary:   "A word boundary stands beside letters that it does not know",
	codeNever:      "A rule can never hold",
	codeWhen:       "A condition is wrong",
	codeSymbol:     "A symbol is not known",
	codeCycle:      "Conditions read each other in a circle",
	codeCheck:      "A check does not exist or does not report the symbol",
	codeProof:      "A rule's test does not fit the rule",
	codeOverride:   "An override changes nothing that exists",
	codeExpired:    "A date is over",
	codeFamily:     "No symbol is of the family",
	codePolicy:     "A policy or a rule is for nobody",
	codeThresholds: "Thresholds do not rise",
	codeReach:      "A threshold cannot be reached",
	codeTest:       "A test does not fit the rules",
	codeFailed:     "A rule's test does not come out as it says",
	codeAlways:     "A rule always holds",
	codeDead:       "A zone is no longer in service",
	codeAsking:     "A zone cannot be asked in the way it says",
	codeUse:        "A list of the catalogue cannot be used as it is said",
	codeGreylist:   "Greylisting cannot work as it is said",
	codeSaved:      "Good points cannot save from what refuses alone",
	codeAllow:      "Mail is let pass where that makes no sense",
	codeMark:       "The mark of subjects cannot be set, or is never set",
}

// Title says in one line what a finding's code stands for; "" for an unknown code.
func Title(code string) string { return cmp.Or(titles[code], strict.Titles()[code]) }

// Codes are all codes, in order.
func Codes() []string {
	codes := slices.AppendSeq(slices.Collect(maps.Keys(titles)), maps.Keys(strict.Titles()))
	slices.Sort(codes)
	return codes
}
