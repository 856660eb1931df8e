package inspector

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

const maxRelated = 20

// detailView is one delivery with all that is known of it.
type detailView struct {
	row
	Counts   []severityCount
	Pretty   bodyView
	Raw      []line
	BodyText string // to copy
	Request  []finding
	HeaderRows
	Attempts     []journal.Attempt
	Jobs         []jobRow // of the relay, that are not done
	SameID       []row
	SameRun      []row
	Compare      comparison
	Snippets     []snippet
	To           string // URL to deliver to again
	Edited       string // the body to edit
	Took         string // until it was answered; "": unknown
	Newer, Older int64  // 0: there is none
	Writable     bool
}

// HeaderRows are the headers, documented ones first.
type HeaderRows struct{ Headers []headerRow }

// severityCount is how many findings of a severity there are.
type severityCount struct {
	Severity validate.Severity
	Count    int
}

func (i *Inspector) detail(w http.ResponseWriter, r *http.Request) {
	word, kind, download := strings.Cut(r.PathValue("sequence"), ".")
	r.SetPathValue("sequence", word)
	e, ok := i.entry(w, r)
	switch {
	case !ok:
	case !download:
		v, err := i.newDetail(r.Context(), e, r.URL.Query().Get("with"))
		if err != nil {
			i.broken(w, r, err)
			return
		}
		i.render(w, r, http.StatusOK, "detail", fmt.Sprintf("Delivery %d", e.Sequence), v)
	case kind == "http":
		attach(w, e, "http", "application/octet-stream", e.HTTP())
	case kind == "json":
		attach(w, e, "json", "application/json", e.Body)
	default:
		i.fail(w, r, http.StatusNotFound, "There is a .http and a .json of a delivery, and nothing else.")
	}
}

// attach writes a file to save.
func attach(w http.ResponseWriter, e journal.Entry, ending, kind string, text []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="delivery-%d.%s"`, e.Sequence, ending))
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a reader that is gone needs none
}

// entry returns the entry of the path, or writes that there is none.
func (i *Inspector) entry(w http.ResponseWriter, r *http.Request) (e journal.Entry, ok bool) {
	sequence, err := strconv.ParseInt(r.PathValue("sequence"), 10, 64)
	if err == nil && sequence > 0 {
		for e, err := range i.options.Journal.List(r.Context(), journal.Filter{Sequence: sequence}) {
			if err != nil {
				i.broken(w, r, err)
			}
			return e, err == nil
		}
	}
	i.fail(w, r, http.StatusNotFound, "There is no such delivery in the journal: it may have been deleted since.")
	return e, false
}

func (i *Inspector) newDetail(ctx context.Context, e journal.Entry, with string) (v detailView, err error) {
	body, headers, request := divide(e.Delivery)
	v = detailView{
		Took: i.took.of(e.Sequence),
		row:  i.row(e), Counts: countSeverities(e.Findings), Pretty: newBody(e.Body, body), Request: request,
		HeaderRows: HeaderRows{newHeaders(e.Delivery, headers)}, Snippets: i.snippets(e.Delivery),
		To: i.receiverURL().String(), Edited: owox.Indent(e.Body), Writable: i.options.Journal.Writable(),
	}
	v.Body = e.Body
	if utf8.Valid(e.Body) {
		v.BodyText = string(e.Body)
	}
	if v.Pretty.JSON {
		v.Raw = rawLines(e.Body, nil)
		v.Raw = v.Raw[:min(len(v.Raw), maxLines)]
	}
	if v.Attempts, err = i.options.Journal.Attempts(ctx, e.Sequence); err != nil {
		return v, err
	}
	if i.options.Relay != nil {
		if v.Jobs, err = i.jobs(ctx, relay.Selection{Sequence: e.Sequence}); err != nil {
			return v, err
		}
	}
	related, err := i.options.Journal.Related(ctx, e, maxRelated)
	if err != nil {
		return v, err
	}
	for _, other := range related {
		if other.ID == e.ID {
			v.SameID = append(v.SameID, i.row(other))
		} else {
			v.SameRun = append(v.SameRun, i.row(other))
		}
	}
	if v.Compare, err = i.compare(ctx, e, with); err != nil {
		return v, err
	}
	if v.Older, err = i.next(ctx, journal.Filter{Before: e.Sequence}); err != nil {
		return v, err
	}
	v.Newer, err = i.next(ctx, journal.Filter{After: e.Sequence, Oldest: true})
	return v, err
}

// next returns the number of the first entry that a filter chooses, or 0.
func (i *Inspector) next(ctx context.Context, f journal.Filter) (int64, error) {
	f.Limit, f.Brief = 1, true
	for e, err := range i.options.Journal.List(ctx, f) {
		return e.Sequence, err
	}
	return 0, nil
}

func countSeverities(findings []validate.Finding) []severityCount {
	var counts []severityCount
	for _, severity := range []validate.Severity{validate.Error, validate.Warning, validate.Info} {
		count := 0
		for _, f := range findings {
			if f.Severity == severity {
				count++
			}
		}
		if count > 0 {
			counts = append(counts, severityCount{severity, count})
		}
	}
	return counts
}

// Text is the count as a sentence has it.
func (c severityCount) Text() string {
	if c.Severity == validate.Info {
		return strconv.Itoa(c.Count) + " info"
	}
	return counted(c.Count, c.Severity.String(), c.Severity.String()+"s")
}

func (i *Inspector) delete(w http.ResponseWriter, r *http.Request) {
	e, ok := i.entry(w, r)
	if !ok {
		return
	}
	if err := i.options.Journal.Delete(e.Sequence); err != nil {
		i.broken(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// Number is that of a finding on the page, by its index.
func (detailView) Number(index int) int { return index + 1 }

// Gone reports whether the sender hung up before the answer.
func (v detailView) Gone() bool { return v.State == delivery.StateGone }
