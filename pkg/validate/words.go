package validate

import (
	"strconv"
	"strings"
)

// What a finding wants or got is data for programs; the functions below make
// the sentence for people of it, each for the findings of one rule or more.

// Pieces of what is wanted or was got that the words look for.
const (
	anEventType = "a documented event type"
	atMost      = "at most "     // in front of a limit
	memberOf    = "a member of " // in front of an event
	withEvent   = " with "       // between a status and its event
	gotNothing  = "nothing"      // instead of JSON
	gotMark     = "a byte order mark"
)

// subject is what a finding is about.
func subject(f Finding) string {
	if f.Path == "" {
		return "the payload"
	}
	return f.Path
}

func say(text string) func(Finding) string { return func(Finding) string { return text } }

func sayPath(rest string) func(Finding) string {
	return func(f Finding) string { return f.Path + rest }
}

func sayIs(rest string) func(Finding) string {
	return func(f Finding) string { return f.Path + " is " + f.Got + rest }
}

// sayBefore names the delivery that came before, if it has a number.
func sayBefore(what, how string) func(Finding) string {
	return func(f Finding) string {
		as := ""
		if f.Earlier > 0 {
			as = " as delivery " + strconv.FormatInt(f.Earlier, 10)
		}
		return what + f.Got + " was delivered before" + as + ": " + how
	}
}

func sayGot(before, behind string) func(Finding) string {
	return func(f Finding) string { return before + f.Got + behind }
}

func sayLimit(before, behind string) func(Finding) string {
	return func(f Finding) string { return before + strings.TrimPrefix(f.Want, atMost) + behind }
}

// sayOther speaks of a header that must be what a member is.
func sayOther(path string) func(Finding) string {
	return func(f Finding) string { return f.Path + " is " + f.Got + " but " + path + " is " + f.Want }
}

func sayWant(f Finding) string { return subject(f) + " is " + f.Got + ", want " + f.Want }

func sayNot(f Finding) string { return f.Path + " is " + f.Got + ", not " + f.Want }

func sayMethod(f Finding) string { return "the method is " + f.Got + ", want " + f.Want }

func sayOccurs(f Finding) string { return f.Path + " occurs " + f.Got }

func sayAsSent(f Finding) string { return f.Path + " is " + f.Got + ": OWOX writes " + f.Want }

func sayDuration(f Finding) string {
	return f.Path + " is " + f.Got + " but the run took " + f.Want + " ms by its times"
}

func sayExact(f Finding) string {
	return f.Path + " is " + f.Got + ", more than readers keep exactly: want " + f.Want
}

func sayMalformed(f Finding) string {
	switch f.Got {
	case gotNothing:
		return "the payload is empty"
	case gotMark:
		return "the payload starts with a byte order mark"
	default:
		return "malformed JSON: " + f.Got
	}
}

func sayStatus(f Finding) string {
	if _, event, known := strings.Cut(f.Want, withEvent); known {
		return f.Path + " is " + f.Got + " but the event is " + event
	}
	return sayNot(f)
}

func sayUndocumented(f Finding) string {
	if event, other := strings.CutPrefix(f.Want, memberOf); other {
		return f.Path + " is not documented for " + event
	}
	if f.Got != "" {
		return f.Path + " is not documented, but " + f.Got
	}
	return f.Path + " is not documented"
}

func sayHTTP(f Finding) string {
	if f.Want == "" {
		return f.Got
	}
	return f.Got + ", but " + f.Path + " is " + f.Want
}

func sayHeader(f Finding) string {
	if f.Got == "" {
		return f.Path + " is missing, want " + f.Want
	}
	return sayWant(f)
}

// sayContentType explains the error that surprises: a parameter such as a
// charset, which most readers accept.
func sayContentType(f Finding) string {
	if media, _, parameters := strings.Cut(strings.TrimPrefix(f.Got, `"`), ";"); !parameters || !strings.EqualFold(strings.TrimSpace(media), f.Want) {
		return sayHeader(f)
	}
	return sayHeader(f) + ": the documentation has exactly that value; to accept others: --rule " + f.Rule + "=warning"
}
