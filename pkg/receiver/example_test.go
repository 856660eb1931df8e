package receiver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func ExampleNew() {
	validator, err := validate.New(validate.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := receiver.New(receiver.Options{
		Validator: validator,
		Received: func(d delivery.Delivery) {
			fmt.Println(d.Method, d.Path, "answered", d.Answered, "valid", d.Valid())
		},
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	response, err := http.Post(server.URL, "application/json", strings.NewReader("{}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.Status, response.Body.Close())
	// Unordered output:
	// POST / answered 422 valid false
	// 422 Unprocessable Entity <nil>
}
