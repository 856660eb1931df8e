package expect_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// A Go test of code that delivers events as OWOX does.
func Example() {
	validator, _ := validate.New(validate.Config{})
	watch := expect.New(expect.Deliveries{Count: 1, Events: []owox.EventType{owox.RunFailed}})
	server := httptest.NewServer(receiver.New(receiver.Options{Validator: validator, Received: watch.Add}))
	defer server.Close()

	deliver(server.URL, owox.Documented(owox.RunFailed)) // the code under test

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(watch.Wait(ctx))
	// Output: <nil>
}

func deliver(url string, payload []byte) {
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return
	}
	for _, h := range sender.NewRequest(request.URL, payload).Headers {
		request.Header.Set(h.Name, h.Value)
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		_ = response.Body.Close() // only that it was delivered counts
	}
}
