package cmd

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

func TestHealthcheckFailsWhenSomethingElseAnswers(t *testing.T) {
	var asked string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.RequestURI
		w.WriteHeader(http.StatusBadGateway)
	}))
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	defer server.Close()
	address, err := url.Parse(server.URL + "/hook")
	if err != nil {
		t.Fatal(err)
	}
	var judged judgedError
	if err := runHealthcheck(t.Context(), address); !errors.As(err, &judged) {
		t.Errorf("got %v, want a failed check", err)
	}
	if want := "OPTIONS *"; asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}
