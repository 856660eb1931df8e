package inspector

import (
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
	query := r.URL.Query()
	which, err := selection(query)
	if err != nil {
		i.fail(w, r, http.StatusBadRequest, "Nothing to drop: "+err.Error())
		return
	}
	v := dropView{Selection: which, Shown: query.Get("shown")}
	if which.Sequence != 0 {
		jobs, err := i.jobs(r.Context(), which)
		if err != nil {
			i.broken(w, r, err)
			return
		}
		if v.Jobs = len(jobs); v.Jobs > 0 {
			v.Job = jobs[0]
		}
	} else {
		all, err := i.options.Relay.Status(r.Context())
		if err != nil {
			i.broken(w, r, err)
			return
		}
		for _, s := range all {
			if which.Target != "" && which.Target != s.Target {
				continue
			}
			if v.Jobs += s.GivenUp; !which.GivenUp {
				v.Jobs += s.Waiting
			}
		}
	}
	if v.Jobs == 0 {
		i.fail(w, r, http.StatusNotFound, "Nothing to drop: it was delivered or dropped meanwhile.")
		return
	}
	i.render(w, r, http.StatusOK, "drop", "Drop", v)
}
