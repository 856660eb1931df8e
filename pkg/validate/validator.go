package validate

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Limits that hold unless a [Config] says otherwise.
const (
	DefaultMaxBody = 1 << 20 // bytes
	MaxDepth       = 64      // objects and arrays within each other
)

// Config changes how strict a [Validator] is. The zero value is the default.
type Config struct {
	Strict     bool                // warnings are errors
	Severities map[string]Severity // by rule id; wins over Strict
	MaxBody    int                 // bytes; 0: DefaultMaxBody
}

// Validator validates payloads and requests. It may be used by several goroutines
// at once.
type Validator struct {
	rows    map[string]row // by rule id, with the configured severities
	maxBody int
	passes  sync.Pool
}

// New returns a validator, or an error when the configuration names a rule
// that does not exist.
func New(config Config) (*Validator, error) {
	v := &Validator{rows: make(map[string]row, len(rules)), maxBody: config.MaxBody}
	if v.maxBody == 0 {
		v.maxBody = DefaultMaxBody
	}
	for _, r := range rules {
		if config.Strict && r.Severity == Warning {
			r.Severity = Error
		}
		v.rows[r.ID] = r
	}
	for id, severity := range config.Severities {
		r, ok := v.rows[id]
		if !ok {
			return nil, fmt.Errorf("unknown rule %q", id)
		}
		r.Severity = severity
		v.rows[id] = r
	}
	v.passes.New = func() any { return newPass(v) }
	return v, nil
}

// MaxBody returns the number of bytes that a body may have.
func (v *Validator) MaxBody() int { return v.maxBody }

// Payload validates a body. It returns nil when there is nothing to say, and does
// not allocate then.
func (v *Validator) Payload(body []byte) []Finding {
	return v.finish(v.payload(body, nil, nil), body)
}

// Request validates a request: its method, the documented headers, its body, and
// whether they agree. Other headers are never a finding.
func (v *Validator) Request(method string, header http.Header, body []byte) []Finding {
	return v.finish(v.request(method, header, body, nil), body)
}

// Identify validates a request as Request does, and returns what [owox.Identify]
// returns for its body: both for the price of one reading, where the body is
// written as the sender writes it.
func (v *Validator) Identify(method string, header http.Header, body []byte) (owox.Identity, []Finding) {
	var who owox.Identity
	findings := v.finish(v.request(method, header, body, &who), body)
	return who, findings
}

// SeenBefore returns the finding for a delivery whose id was seen before, or
// none when its rule is off. earlier is the number of that delivery, or 0.
func (v *Validator) SeenBefore(id string, earlier int64) []Finding {
	return v.finish(v.add(nil, Finding{Rule: IDSeenBefore, Offset: -1, Got: clip(id), Earlier: earlier}), nil)
}

// RunSeenBefore is SeenBefore for a run that was seen under another id.
func (v *Validator) RunSeenBefore(run string, earlier int64) []Finding {
	return v.finish(v.add(nil, Finding{Rule: RunSeenBefore, Offset: -1, Got: clip(run), Earlier: earlier}), nil)
}

// Payload validates a body with the default configuration.
func Payload(body []byte) []Finding { return defaultValidator().Payload(body) }

// Request validates a request with the default configuration.
func Request(method string, header http.Header, body []byte) []Finding {
	return defaultValidator().Request(method, header, body)
}

// HTTP validates a raw request with the default configuration.
func HTTP(raw []byte) []Finding { return defaultValidator().HTTP(raw) }

// defaultValidator is made when first needed; it holds no state but its pool.
var defaultValidator = sync.OnceValue(func() *Validator {
	v, err := New(Config{})
	if err != nil {
		panic(err) // the zero Config names no rule
	}
	return v
})
