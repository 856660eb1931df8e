package validate

import (
	"slices"

	"github.com/owoxhook/owoxhook/pkg/owox"
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
	fixSender    = "OWOX never sends this: find out what changed the delivery on its way, or fix what created it."
	fixReader    = "Make your endpoint read the payload without it."
)

// row is a rule with the words of its findings.
type row struct {
	Rule
	words func(Finding) string
}

// rules is the table of rules, in the order in which they are declared.
var rules []row

// declare adds a rule to the table while the package is initialized, and
// returns its id: no id is without a row, and no row without an id.
func declare(id string, severity Severity, title, says, fix string, words func(Finding) string) string {
	rules = append(rules, row{Rule{id, severity, title, says, fix}, words})
	return id
}

// The ids of the rules.
var (
	JSONSyntax            = declare("json-syntax", Error, "The body is well-formed JSON.", saysJSON, "Fix the payload at the given place. "+fixSender, sayMalformed)
	TrailingData          = declare("trailing-data", Error, "Nothing follows the payload.", saysJSON, "Send one JSON value per request.", say("something follows the payload"))
	MemberUnique          = declare("member-unique", Error, "An object has each member once.", saysJSON+" RFC 8259: readers disagree about members with the same name.", fixSender, sayPath(" occurs more than once"))
	UTF8                  = declare("utf-8", Error, "The body is UTF-8.", saysJSON+" RFC 8259: JSON that is exchanged is UTF-8.", "Encode the payload as UTF-8.", sayGot("invalid UTF-8: ", ""))
	LoneSurrogate         = declare("lone-surrogate", Warning, "Escapes such as \\ud800 come in pairs.", "RFC 8259, section 8.2: readers treat half a pair in different ways.", "Expect your reader to replace or to refuse it.", sayGot("", " is half of a pair of escapes"))
	BodySize              = declare("body-size", Error, "The body is no larger than the limit.", "The documentation sets no limit; owoxhook reads up to 1 MiB unless told otherwise.", "Raise the limit with --max-body if payloads of this size are real.", sayLimit("the body is larger than the limit of ", ""))
	NestingDepth          = declare("nesting-depth", Error, "The payload nests no deeper than 64 levels.", "Events: documented payloads nest four levels deep.", fixSender, sayLimit("nested deeper than ", ": not validated from here"))
	MemberType            = declare("member-type", Error, "Every documented member has the documented JSON type.", "Payload Structure and Events: the type column and the examples. Field: an unknown value is left out, never null.", fixSender, sayWant)
	EnvelopeMember        = declare("envelope-member-present", Error, "The envelope has every member of the documented table.", saysEnvelope, fixSender, sayPath(" is missing"))
	IDIsUUID              = declare("id-is-uuid", Error, "The event ID is a UUID.", "Payload Structure: unique event ID (UUID).", fixSender, sayNot)
	VersionDocumented     = declare("version-documented", Error, `The schema version is "1".`, `Payload Structure: payload schema version, currently "1".`, "Look into the documentation for a newer version of the payload.", sayWant)
	EventDocumented       = declare("event-documented", Error, "The event type is a documented one.", "Events: the documented event types.", "Look for a misspelt event type; owoxhook events lists them all.", sayNot)
	TimeFormat            = declare("time-is-iso-8601", Error, "Times are ISO 8601 dates with a time of day.", "Payload Structure: ISO 8601 timestamp.", "Write times like 2024-01-15T10:30:00.000Z.", sayNot)
	IsTestTrue            = declare("is-test-is-true", Error, "The test mark, where present, is true.", "Payload Structure: present and true only for test events, omitted for real events.", "Leave the member out of real events.", sayIs(": it is true in test events and left out of real ones"))
	StatusMatchesEvent    = declare("status-matches-event", Error, "The status of the run goes with the event.", "Events: FAILED with the failed event, SUCCESSFUL with the successful one.", "Change the status or the event type.", sayStatus)
	WholeNumber           = declare("whole-number", Error, "Counts and durations are whole numbers, not negative.", "Events: the examples show whole numbers.", fixSender, sayWant)
	URLSyntax             = declare("url-syntax", Error, "URLs are well-formed.", "Events: the examples show an absolute https URL.", "Percent-encode what RFC 3986 does not allow in a URL.", sayNot)
	ShownMember           = declare("shown-member-present", Warning, "The payload has the members that the examples show.", saysExamples, fixReader, sayPath(" is missing: the documented example has it"))
	ShownMemberNotEmpty   = declare("shown-member-not-empty", Warning, "Members that the examples show are not empty.", saysExamples+" Ids and titles can be empty in the field.", fixReader, sayPath(" is empty"))
	URLAbsolute           = declare("url-absolute", Warning, "URLs are absolute http or https URLs.", "Events: the examples show an absolute https URL. Field: a self-hosted install without a public address sends a relative one.", "Configure the public address of your OWOX install.", sayNot)
	NumberIsExact         = declare("number-is-exact", Warning, "Numbers are no larger than what every reader keeps exactly.", "RFC 8259, section 6: readers agree on whole numbers up to 2^53-1, 9007199254740991. Larger ones may be rounded or refused.", "Read the number with a type that holds it, such as a 64-bit or big integer.", sayExact)
	FinishedAfterStarted  = declare("finished-after-started", Warning, "A run finishes no earlier than it started.", "Events: the examples. Not checked in test events.", "Check the clocks of the machines that run your data marts.", sayIs(""))
	DurationMatchesTimes  = declare("duration-matches-times", Warning, "The duration is the time from start to finish.", "Events: the examples. Field: the sender computes it so, except in test events, where it is not checked.", "Do not compute with both; trust the times.", sayDuration)
	TimeAsSent            = declare("time-as-sent", Info, "Times are written as OWOX writes them.", "Field: always UTC with milliseconds and Z.", "Any ISO 8601 time is right; your reader must cope with more than one form.", sayAsSent)
	UndocumentedMember    = declare("undocumented-member", Info, "Every member is documented.", "Payload Structure and Events list the members; new ones may appear.", "Make your endpoint ignore members that it does not know.", sayUndocumented)
	HTTPSyntax            = declare("http-syntax", Error, "A raw request is well-formed HTTP/1.1.", saysHeaders, "Compare with owoxhook sample --format http.", sayHTTP)
	MethodIsPost          = declare("method-is-post", Error, "The method is POST.", saysHeaders, "Send a POST request.", sayMethod)
	ContentTypeHeader     = declare("content-type-header", Error, owox.HeaderContentType+" is "+owox.ContentType+".", saysHeaders, "Send the header exactly as documented, without a charset: JSON is always UTF-8. To accept other values: --rule content-type-header=warning.", sayContentType)
	ContentEncoding       = declare("content-encoding", Error, "The body is not compressed.", saysHeaders+" A content encoding is not among them.", "Send the body as it is.", sayGot("the body is compressed with ", ": not validated"))
	UserAgentHeader       = declare("user-agent-header", Error, owox.HeaderUserAgent+" is "+owox.UserAgent+".", saysHeaders, "Send the header exactly as documented; some proxies replace it.", sayHeader)
	HeaderOnce            = declare("header-once", Error, "Each documented header occurs once.", saysHeaders, fixSender, sayOccurs)
	IDHeaderPresent       = declare("id-header-present", Error, "The request has "+owox.HeaderID+".", saysHeaders, "Send the header; some proxies remove headers they do not know.", sayPath(" is missing"))
	IDHeaderIsUUID        = declare("id-header-is-uuid", Error, owox.HeaderID+" is a UUID.", "Request Format: unique event ID (UUID).", fixSender, sayNot)
	IDHeaderMatches       = declare("id-header-matches", Error, owox.HeaderID+" is the ID of the payload.", "Request Format and Payload Structure: both are the unique event ID.", "Send the same ID in both places.", sayOther(owox.PathID))
	EventHeaderPresent    = declare("event-header-present", Error, "The request has "+owox.HeaderEvent+".", saysHeaders, "Send the header; some proxies remove headers they do not know.", sayPath(" is missing"))
	EventHeaderDocumented = declare("event-header-documented", Error, owox.HeaderEvent+" is a documented event type.", "Request Format: event type string.", "Look for a misspelt event type; owoxhook events lists them all.", sayNot)
	EventHeaderMatches    = declare("event-header-matches", Error, owox.HeaderEvent+" is the event type of the payload.", "Request Format and Payload Structure: both are the event type.", "Send the same event type in both places.", sayOther(owox.PathEvent))
	IDSeenBefore          = declare("id-seen-before", Info, "A delivery brings a new event.", "Payload Structure: use the ID for deduplication. Field: every retry of one event carries the same ID.", "Make your endpoint ignore an ID that it has handled.", sayBefore("", "a retry, or sent again"))
	RunSeenBefore         = declare("run-seen-before", Info, "A delivery of another ID brings another run.", "Field: the sender makes the ID when it sends. After a crash of its own, or when its queue takes a batch up again, the same run comes under a new ID.", "Make your endpoint ignore a run that it has handled: "+owox.PathEvent+" and "+owox.PathRunID+" together tell it, where the latter is not empty.", sayBefore("run ", "under another id"))
)

// Rules returns all rules: those of payloads first, then those of requests.
func Rules() []Rule {
	all := make([]Rule, len(rules))
	for i, r := range rules {
		all[i] = r.Rule
	}
	return all
}

// FindRule returns the rule with the id.
func FindRule(id string) (Rule, bool) {
	i := slices.IndexFunc(rules, func(r row) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i].Rule, true
}
