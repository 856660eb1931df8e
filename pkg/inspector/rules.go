package inspector

import (
	"net/http"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

// rules shows every rule with its explanation, which findings link to.
func (i *Inspector) rules(w http.ResponseWriter, r *http.Request) {
	i.render(w, r, http.StatusOK, "rules", "Rules", validate.Rules())
}
