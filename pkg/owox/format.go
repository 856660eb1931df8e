package owox

import (
	"strings"
	"time"
)

// Format is the format of a string value. A member that is only shown in the
// examples may be empty instead.
type Format string

// The formats of string values.
const (
	UUID      Format = "uuid"      // RFC 9562, any version
	Timestamp Format = "timestamp" // ISO 8601 calendar date and time, see ParseTimestamp
	URL       Format = "url"       // RFC 3986 reference, absolute or relative
)

// formats says of each format what [Format.Match] checks, as a pattern of
// ECMA 262. A test holds the two against each other.
var formats = []struct {
	name         Format
	doc, pattern string
}{
	{UUID, "a UUID", `^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`},
	{Timestamp, "an ISO 8601 date and time", `^(?:` + timestampPattern("-", ":") + `|` + timestampPattern("", "") + `)$`},
	{URL, "a URL, absolute or relative", `^(?:[^\x00-\x20"<>\\^` + "`" + `{|}\x7f%]|%[0-9A-Fa-f]{2})*$`},
}

// timestampPattern is ISO 8601's extended format with its separators, or the
// basic one without. Days are checked by month, 29 February by year.
func timestampPattern(date, clock string) string {
	day := `(?:[0-9]{4}` + date + `(?:(?:0[13578]|1[02])` + date + `(?:0[1-9]|[12][0-9]|3[01])` +
		`|(?:0[469]|11)` + date + `(?:0[1-9]|[12][0-9]|30)` +
		`|02` + date + `(?:0[1-9]|1[0-9]|2[0-8]))` +
		`|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)` + date + `02` + date + `29)`
	return day + `T(?:[01][0-9]|2[0-3])` + clock + `[0-5][0-9](?:` + clock + `(?:[0-5][0-9]|60)(?:[.,][0-9]+)?)?` +
		`(?:Z|[+-](?:[01][0-9]|2[0-3])(?:` + clock + `[0-5][0-9])?)?`
}

// Doc returns what a value of the format is, such as "a UUID".
func (f Format) Doc() string {
	for _, known := range formats {
		if known.name == f {
			return known.doc
		}
	}
	return ""
}

// Match reports whether the text has the format. It does not allocate.
func (f Format) Match(text []byte) bool {
	switch f {
	case UUID:
		return isUUID(text)
	case Timestamp:
		_, ok := ParseTimestamp(text)
		return ok
	case URL:
		return isURLReference(text)
	default:
		return true
	}
}

func isUUID(text []byte) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range text {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !hexDigits[c] {
			return false
		}
	}
	return true
}

var hexDigits = func() (digits [256]bool) {
	for _, c := range []byte("0123456789abcdefABCDEF") {
		digits[c] = true
	}
	return digits
}()

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// urlBytes are the bytes that a URL may have as they are.
var urlBytes = func() (allowed [256]bool) {
	for c := range allowed {
		allowed[c] = c > ' ' && c != 0x7f && strings.IndexByte("\"<>\\^`{|}%", byte(c)) < 0
	}
	return allowed
}()

func isURLReference(text []byte) bool {
	for i, c := range text {
		if urlBytes[c] {
			continue
		}
		if c != '%' || i+2 >= len(text) || !hexDigits[text[i+1]] || !hexDigits[text[i+2]] {
			return false
		}
	}
	return true
}

// IsAbsoluteURL reports whether a URL has the scheme http or https and a host.
func IsAbsoluteURL(text []byte) bool {
	s := text
	for _, scheme := range []string{"https://", "http://"} {
		if len(s) > len(scheme) && strings.EqualFold(string(s[:len(scheme)]), scheme) {
			return strings.IndexByte("/?#", s[len(scheme)]) < 0
		}
	}
	return false
}

// timestampLayout is how the sender writes times: UTC with milliseconds.
const timestampLayout = "2006-01-02T15:04:05.000Z"

func quoteTime(t time.Time) string { return `"` + FormatTimestamp(t) + `"` }

// FormatTimestamp writes a time as the sender does: UTC, milliseconds, Z.
func FormatTimestamp(t time.Time) string { return t.UTC().Format(timestampLayout) }

// AppendTimestamp appends a time as FormatTimestamp writes it.
func AppendTimestamp(text []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(text, timestampLayout)
}

// IsSenderTimestamp reports whether a valid timestamp is written as the sender
// writes it: UTC with milliseconds and Z.
func IsSenderTimestamp(text []byte) bool {
	return len(text) == len(timestampLayout) && text[4] == '-' && text[19] == '.' && text[23] == 'Z'
}

// ParseTimestamp reads a date and time of ISO 8601: a calendar date, "T", and
// a time of day to the minute, second or a fraction of it, in the extended
// format with separators or the basic one without, with "Z", an offset, or
// neither (read as UTC). Digits beyond nanoseconds are cut off.
func ParseTimestamp(text []byte) (t time.Time, ok bool) {
	if t, ok := parseSenderTimestamp(text); ok {
		return t, true
	}
	p := timestampParser{rest: text}
	year := p.digits(4)
	extended := p.accept('-')
	month := p.digits(2)
	p.separator('-', extended)
	day := p.digits(2)
	p.require('T')
	hour := p.digits(2)
	p.separator(':', extended)
	minute := p.digits(2)
	second, nanos := p.second(extended)
	offset := p.offset(extended)
	if p.failed || len(p.rest) > 0 || !validDate(year, month, day) || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return t.Add(-offset), true
}

// parseSenderTimestamp reads what FormatTimestamp writes.
func parseSenderTimestamp(text []byte) (t time.Time, ok bool) {
	if !IsSenderTimestamp(text) {
		return time.Time{}, false
	}
	b := (*[len(timestampLayout)]byte)(text)
	if b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, false
	}
	worst := byte(0)
	digit := func(at int) int {
		d := b[at] - '0'
		worst = max(worst, d)
		return int(d)
	}
	two := func(at int) int { return 10*digit(at) + digit(at+1) }
	year, month, day, hour, minute, second := 100*two(0)+two(2), two(5), two(8), two(11), two(14), two(17)
	nanos := (10*two(20) + digit(22)) * int(time.Millisecond)
	if worst > 9 {
		return time.Time{}, false
	}
	if !validDate(year, month, day) || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC), true
}

func validDate(year, month, day int) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		days = 29
	}
	return day <= days
}

// timestampParser takes pieces off the front of rest; after the first piece
// that is not there it has failed.
type timestampParser struct {
	rest   []byte
	failed bool
}

func (p *timestampParser) digits(n int) (value int) {
	if len(p.rest) < n {
		p.failed = true
		return 0
	}
	for _, c := range p.rest[:n] {
		if !isDigit(c) {
			p.failed = true
		}
		value = value*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return value
}

func (p *timestampParser) atDigit() bool { return len(p.rest) > 0 && isDigit(p.rest[0]) }

func (p *timestampParser) accept(c byte) bool {
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *timestampParser) require(c byte) { p.failed = !p.accept(c) || p.failed }

func (p *timestampParser) separator(c byte, extended bool) {
	if extended {
		p.require(c)
	}
}

// second reads the optional seconds and their optional fraction.
func (p *timestampParser) second(extended bool) (second, nanos int) {
	if extended && !p.accept(':') || !extended && !p.atDigit() {
		return 0, 0
	}
	second = p.digits(2)
	if !p.accept('.') && !p.accept(',') {
		return second, 0
	}
	count := 0
	for unit := 100_000_000; p.atDigit(); unit /= 10 {
		nanos += unit * int(p.rest[0]-'0')
		p.rest = p.rest[1:]
		count++
	}
	p.failed = p.failed || count == 0
	return second, nanos
}

// offset reads the optional distance from UTC.
func (p *timestampParser) offset(extended bool) time.Duration {
	sign := time.Duration(1)
	switch {
	case p.accept('Z'), len(p.rest) == 0:
		return 0
	case p.accept('-'):
		sign = -1
	case !p.accept('+'):
		p.failed = true
	}
	hours, minutes := p.digits(2), 0
	if len(p.rest) > 0 {
		p.separator(':', extended)
		minutes = p.digits(2)
	}
	p.failed = p.failed || hours > 23 || minutes > 59
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
}
