package inspector

import (
	"strings"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// headerRow is a header, documented or not, with what is wrong with it.
type headerRow struct {
	owox.Header
	Documented, Missing bool
	Findings            []finding
}

// newHeaders returns the documented headers first, missing ones included.
func newHeaders(d delivery.Delivery, findings []finding) []headerRow {
	about := func(name string) (found []finding) {
		for _, f := range findings {
			if strings.EqualFold(f.Path, name) {
				found = append(found, f)
			}
		}
		return found
	}
	var documented, others []headerRow
	for _, h := range owox.Headers("-", "-") {
		before := len(documented)
		for _, came := range d.Headers {
			if strings.EqualFold(came.Name, h.Name) {
				documented = append(documented, headerRow{Header: came, Documented: true})
			}
		}
		if len(documented) == before {
			documented = append(documented, headerRow{Header: h, Documented: true, Missing: true})
		}
		documented[before].Findings = about(h.Name)
	}
	for _, came := range d.Headers {
		if !isDocumented(came.Name) {
			others = append(others, headerRow{Header: came, Findings: about(came.Name)})
		}
	}
	return append(documented, others...)
}

func isDocumented(name string) bool {
	for _, h := range owox.Headers("-", "-") {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// divide tells findings about the body from those about a header, and those
// about the request as a whole.
func divide(d delivery.Delivery) (body, headers, request []finding) {
	for n, f := range d.Findings {
		rule, _ := validate.FindRule(f.Rule)
		one := finding{f, n + 1, rule.Fix}
		came := func() bool {
			for _, h := range d.Headers {
				if strings.EqualFold(h.Name, f.Path) {
					return true
				}
			}
			return isDocumented(f.Path)
		}
		switch {
		case f.Offset >= 0:
			body = append(body, one)
		case came():
			headers = append(headers, one)
		default:
			request = append(request, one)
		}
	}
	return body, headers, request
}
