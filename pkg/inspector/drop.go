package inspector

import (
	"context"
	"net/http"

	"github.com/owoxhook/owoxhook/pkg/relay"
)

// dropView asks before jobs are dropped.
type dropView struct {
	relay.Selection
	Shown string // the target that the page shows
	Jobs  int
	Job   jobRow // where it is about one
}

func (i *Inspector) dropForm(w http.ResponseWriter, r *http.Request) {
	which, err := selection(r.URL.Query())
	if err != nil {
		i.fail(w, r, http.StatusBadRequest, "Nothing to drop: "+err.Error())
		return
	}
	v, err := i.newDrop(r.Context(), which)
	v.Shown = r.URL.Query().Get("shown")
	switch {
	case err != nil:
		i.broken(w, r, err)
	case v.Jobs == 0:
		i.fail(w, r, http.StatusNotFound, "Nothing to drop: it was delivered or dropped meanwhile.")
	default:
		i.render(w, r, http.StatusOK, "drop", "Drop", v)
	}
}

func (i *Inspector) newDrop(ctx context.Context, which relay.Selection) (dropView, error) {
	v := dropView{Selection: which}
	if which.Sequence != 0 {
		jobs, err := i.jobs(ctx, which)
		if v.Jobs = len(jobs); v.Jobs > 0 {
			v.Job = jobs[0]
		}
		return v, err
	}
	all, err := i.options.Relay.Status(ctx)
	for _, s := range all {
		if which.Target != "" && which.Target != s.Target {
			continue
		}
		if v.Jobs += s.GivenUp; !which.GivenUp {
			v.Jobs += s.Waiting
		}
	}
	return v, err
}
