package cmd

import (
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// No spelling of a header has the application believe a stranger.
func TestClaimsOfOriginDoNotGoOn(t *testing.T) {
	for name, want := range map[string]bool{
		"X-Forwarded-For": true, "X-Forwarded-Proto": true, "X_forwarded_for": true, "Forwarded": true, "X-Real-Ip": true, "X_real-Ip": true,
		"Cf-Connecting-Ip": true, "X-Forwarded": true, "Fastly-Client-Ip": true, "X-Azure-Clientip": true, "X-Envoy-External-Address": true, "X-Appengine-User-Ip": true,
		"Remote-User": true, "X-Ssl-Client-Verify": true, "X-Original-Url": true, "X-Http-Method-Override": true, "Proxy": true, "X-Remote-Addr": true, "Via": false, "User-Agent": false, "Accept": false,
		"X-Webhook-ID": false, "Content-Type": false, "Authorization": false, "X-Forward": false,
	} {
		if got := claimsOrigin(owox.Header{Name: name, Value: "34.38.103.182"}); got != want {
			t.Errorf("%s claims an origin: %v, want %v", name, got, want)
		}
	}
}

// A stranger gets the application's answer or learns that there was none, and
// nothing else.
func TestAnswersOfApplicationsArePassedOnWhole(t *testing.T) {
	const notTaken, cut = "the application did not take the delivery\n", "the application's answer was cut off\n"
	failed := func(kind delivery.FailureKind) *delivery.Failure {
		return &delivery.Failure{Kind: kind, Error: "10.0.0.1:3000 said no"}
	}
	for name, tt := range map[string]struct {
		attempt delivery.Attempt
		status  int
		body    string
	}{
		"a success":            {delivery.Attempt{Status: 201, Body: []byte("made")}, 201, "made"},
		"a failure":            {delivery.Attempt{Status: 999, Body: []byte("no"), Failure: failed(delivery.BadStatus)}, 999, "no"},
		"a success, cut":       {delivery.Attempt{Status: 200, Body: []byte("be"), Cut: true}, 200, cut},
		"another protocol":     {delivery.Attempt{Status: 101, Failure: failed(delivery.BadStatus)}, 502, notTaken},
		"a status that is low": {delivery.Attempt{Status: 99, Failure: failed(delivery.BadStatus)}, 502, notTaken},
		"a status that is big": {delivery.Attempt{Status: 1000, Failure: failed(delivery.BadStatus)}, 502, notTaken},
		"nobody there":         {delivery.Attempt{Failure: failed(delivery.Refused)}, 502, notTaken},
		"too slow":             {delivery.Attempt{Failure: failed(delivery.TimedOut)}, 504, notTaken},
	} {
		if got := passOn(tt.attempt); got.Status != tt.status || string(got.Body) != tt.body {
			t.Errorf("%s is answered %d %q, want %d %q", name, got.Status, got.Body, tt.status, tt.body)
		}
	}
}
