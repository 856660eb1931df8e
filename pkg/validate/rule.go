package validate

import (
	"slices"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// The ids of the rules.
const (
	JSONSyntax            = "json-syntax"
	TrailingData          = "trailing-data"
	MemberUnique          = "member-unique"
	UTF8                  = "utf-8"
	LoneSurrogate         = "lone-surrogate"
	BodySize              = "body-size"
	NestingDepth          = "nesting-depth"
	MemberType            = "member-type"
	EnvelopeMember        = "envelope-member-present"
	IDIsUUID              = "id-is-uuid"
	VersionDocumented     = "version-documented"
	EventDocumented       = "event-documented"
	TimeFormat            = "time-is-iso-8601"
	IsTestTrue            = "is-test-is-true"
	StatusMatchesEvent    = "status-matches-event"
	WholeNumber           = "whole-number"
	URLSyntax             = "url-syntax"
	ShownMember           = "shown-member-present"
	ShownMemberNotEmpty   = "shown-member-not-empty"
	URLAbsolute           = "url-absolute"
	FinishedAfterStarted  = "finished-after-started"
	DurationMatchesTimes  = "duration-matches-times"
	TimeAsSent            = "time-as-sent"
	UndocumentedMember    = "undocumented-member"
	HTTPSyntax            = "http-syntax"
	MethodIsPost          = "method-is-post"
	ContentTypeHeader     = "content-type-header"
	ContentEncoding       = "content-encoding"
	UserAgentHeader       = "user-agent-header"
	HeaderOnce            = "header-once"
	IDHeaderPresent       = "id-header-present"
	IDHeaderIsUUID        = "id-header-is-uuid"
	IDHeaderMatches       = "id-header-matches"
	EventHeaderPresent    = "event-header-present"
	EventHeaderDocumented = "event-header-documented"
	EventHeaderMatches    = "event-header-matches"
	IDSeenBefore          = "id-seen-before"
)

// Rule is one thing that is checked.
type Rule struct {
	ID       string
	Severity Severity // without configuration
	Title    string   // what must hold, a sentence
	Says     string   // what the documentation says, or what was seen in the field
	Fix      string   // what to do when it does not hold
}

const (
	saysEnvelope = "Payload Structure: all events share the same envelope, a JSON object with the documented members."
	saysExamples = "Events: the example payloads show the member. The documentation does not promise it, and real deliveries sometimes lack it."
	saysHeaders  = "Request Format: every webhook request is a POST with the documented headers."
	saysJSON     = "Webhooks: OWOX sends an HTTP POST request with a JSON payload."
	fixSender    = "A delivery of OWOX never looks like this: find out what changed it on its way, or mend what made it."
	fixReader    = "Make your endpoint read the payload without it."
)

var rules = []Rule{
	{JSONSyntax, Error, "The body is well-formed JSON.", saysJSON, "Mend the payload at the place given. " + fixSender},
	{TrailingData, Error, "Nothing follows the payload.", saysJSON, "Send one JSON value per request."},
	{MemberUnique, Error, "An object has each member once.", saysJSON + " RFC 8259: readers disagree about members with the same name.", fixSender},
	{UTF8, Error, "The body is UTF-8.", saysJSON + " RFC 8259: JSON that is exchanged is UTF-8.", "Encode the payload as UTF-8."},
	{LoneSurrogate, Warning, "Escapes such as \\ud800 come in pairs.", "RFC 8259, section 8.2: readers treat half a pair in different ways.", "Expect your reader to replace or to refuse it."},
	{BodySize, Error, "The body is no larger than the limit.", "The documentation sets no limit; owoxhook reads up to 1 MiB unless told otherwise.", "Raise the limit with --max-body if payloads of this size are real."},
	{NestingDepth, Error, "The payload nests no deeper than 64 levels.", "Events: documented payloads nest four levels deep.", fixSender},
	{MemberType, Error, "Every documented member has the documented JSON type.", "Payload Structure and Events: the type column and the examples. Field: an unknown value is left out, never null.", fixSender},
	{EnvelopeMember, Error, "The envelope has every member of the documented table.", saysEnvelope, fixSender},
	{IDIsUUID, Error, "The event ID is a UUID.", "Payload Structure: unique event ID (UUID).", fixSender},
	{VersionDocumented, Error, `The schema version is "1".`, `Payload Structure: payload schema version, currently "1".`, "Look into the documentation for a newer version of the payload."},
	{EventDocumented, Error, "The event type is a documented one.", "Events: the documented event types.", "Look for a misspelt event type; owoxhook events lists them all."},
	{TimeFormat, Error, "Times are ISO 8601 dates with a time of day.", "Payload Structure: ISO 8601 timestamp.", "Write times like 2024-01-15T10:30:00.000Z."},
	{IsTestTrue, Error, "The test mark, where present, is true.", "Payload Structure: present and true only for test events, omitted for real events.", "Leave the member out of real events."},
	{StatusMatchesEvent, Error, "The status of the run goes with the event.", "Events: FAILED with the failed event, SUCCESSFUL with the successful one.", "Change the status or the event type."},
	{WholeNumber, Error, "Counts and durations are whole numbers, not negative.", "Events: the examples show whole numbers.", fixSender},
	{URLSyntax, Error, "URLs are well-formed.", "Events: the examples show an absolute https URL.", "Percent-encode what RFC 3986 does not allow in a URL."},
	{ShownMember, Warning, "The payload has the members that the examples show.", saysExamples, fixReader},
	{ShownMemberNotEmpty, Warning, "Members that the examples show are not empty.", saysExamples + " Ids and titles can be empty in the field.", fixReader},
	{URLAbsolute, Warning, "URLs are absolute http or https URLs.", "Events: the examples show an absolute https URL. Field: a self-hosted install without a public address sends a relative one.", "Configure the public address of your OWOX install."},
	{FinishedAfterStarted, Warning, "A run finishes no earlier than it started.", "Events: the examples. Not checked in test events.", "Check the clocks of the machines that run your data marts."},
	{DurationMatchesTimes, Warning, "The duration is the time from start to finish.", "Events: the examples. Field: the sender computes it so, except in test events, where it is not checked.", "Do not compute with both; trust the times."},
	{TimeAsSent, Info, "Times are written as OWOX writes them.", "Field: always UTC with milliseconds and Z.", "Any ISO 8601 time is right; your reader must cope with more than one form."},
	{UndocumentedMember, Info, "Every member is documented.", "Payload Structure and Events list the members; new ones may appear.", "Make your endpoint ignore members that it does not know."},
	{HTTPSyntax, Error, "A raw request is well-formed HTTP/1.1.", saysHeaders, "Compare with owoxhook sample --format http."},
	{MethodIsPost, Error, "The method is POST.", saysHeaders, "Send a POST request."},
	{ContentTypeHeader, Error, owox.HeaderContentType + " is " + owox.ContentType + ".", saysHeaders, "Send the header exactly as documented."},
	{ContentEncoding, Error, "The body is not compressed.", saysHeaders + " A content encoding is not among them.", "Send the body as it is."},
	{UserAgentHeader, Error, owox.HeaderUserAgent + " is " + owox.UserAgent + ".", saysHeaders, "Send the header exactly as documented; some proxies replace it."},
	{HeaderOnce, Error, "Each documented header occurs once.", saysHeaders, fixSender},
	{IDHeaderPresent, Error, "The request has " + owox.HeaderID + ".", saysHeaders, "Send the header; some proxies remove headers they do not know."},
	{IDHeaderIsUUID, Error, owox.HeaderID + " is a UUID.", "Request Format: unique event ID (UUID).", fixSender},
	{IDHeaderMatches, Error, owox.HeaderID + " is the ID of the payload.", "Request Format and Payload Structure: both are the unique event ID.", "Send the same ID in both places."},
	{EventHeaderPresent, Error, "The request has " + owox.HeaderEvent + ".", saysHeaders, "Send the header; some proxies remove headers they do not know."},
	{EventHeaderDocumented, Error, owox.HeaderEvent + " is a documented event type.", "Request Format: event type string.", "Look for a misspelt event type; owoxhook events lists them all."},
	{EventHeaderMatches, Error, owox.HeaderEvent + " is the event type of the payload.", "Request Format and Payload Structure: both are the event type.", "Send the same event type in both places."},
	{IDSeenBefore, Info, "A delivery brings a new event.", "Payload Structure: use the ID for deduplication. Field: every retry of one event carries the same ID.", "Make your endpoint ignore an ID that it has handled."},
}

// Rules returns all rules: those of payloads first, then those of requests.
func Rules() []Rule { return slices.Clone(rules) }

// FindRule returns the rule with the id.
func FindRule(id string) (Rule, bool) {
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}
