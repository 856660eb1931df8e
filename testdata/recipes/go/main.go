// An endpoint for OWOX webhooks: it answers at once, then handles each run once.
// What it has seen is in memory: keep that in your database, behind a unique index.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func main() {
	var seen sync.Map
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		if json.NewDecoder(r.Body).Decode(&body) != nil || owox.Identify(body).ID == "" || r.Header.Get("Content-Type") != "application/json" {
			http.Error(w, "want an event", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		go func(e owox.Identity) {
			_, again := seen.LoadOrStore(e.ID, true)
			if e.RunID != "" && !e.IsTest && !again { // retries have the same id, but a run can come again under a new one
				_, again = seen.LoadOrStore(string(e.Event)+" "+e.RunID, true)
			}
			if _, known := owox.Lookup(e.Event); known && !again {
				fmt.Println(e.Event.Name(), "run of", e.Title)
			}
		}(owox.Identify(body))
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)) // idle connections stay open
}
