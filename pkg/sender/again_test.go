package sender_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func TestAgainKeepsBytesHeadersAndQueries(t *testing.T) {
	to, err := url.Parse("http://app/in?key=k")
	if err != nil {
		t.Fatal(err)
	}
	d := delivery.Delivery{Method: "PUT", Path: "/hook?a=%20b&a=", Body: []byte("\x00"), Headers: []owox.Header{
		{Name: "Host", Value: "old"}, {Name: "X-b", Value: "1"}, {Name: "Connection", Value: "close"}, {Name: "x-A", Value: "2"}, {Name: "content-length", Value: "1"},
	}}
	got := sender.Again(to, d)
	want := sender.Request{Method: "PUT", URL: got.URL, Body: d.Body, Headers: []owox.Header{{Name: "X-b", Value: "1"}, {Name: "x-A", Value: "2"}}}
	if diff := cmp.Diff(want, got); diff != "" || got.URL.String() != "http://app/in?key=k&a=%20b&a=" {
		t.Errorf("%s (-want +got):\n%s", got.URL, diff)
	}
}
