package sender_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func ExampleSender_Deliver() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("received", r.Header.Get(owox.HeaderID))
	}))
	defer server.Close()
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := sender.New(sender.Options{Attempts: 3})
	defer s.Close()
	outcome := s.Deliver(context.Background(), sender.NewRequest(endpoint, owox.Documented(owox.RunFailed)), nil)
	fmt.Println("delivered:", outcome.OK(), outcome.Last().Status)
	// Output:
	// received 550e8400-e29b-41d4-a716-446655440000
	// delivered: true 200
}
