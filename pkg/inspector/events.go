package inspector

import (
	"net/http"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// eventView is an event type with its fields, and an example.
type eventView struct {
	owox.Event
	Fields  []owox.Field
	Example bodyView
}

// TypeOf is the JSON type of a field in words.
func (eventView) TypeOf(f owox.Field) string {
	switch {
	case f.Items != "":
		return string(f.Type) + " of " + string(f.Items)
	case f.Format != "":
		return string(f.Type) + ", " + string(f.Format)
	default:
		return string(f.Type)
	}
}

func (i *Inspector) events(w http.ResponseWriter, r *http.Request) {
	var views []eventView
	for _, e := range owox.Events() {
		views = append(views, eventView{e, owox.FieldsOf(e.Type), newBody(owox.Documented(e.Type), nil)})
	}
	i.render(w, r, http.StatusOK, "events", "Events", views)
}
