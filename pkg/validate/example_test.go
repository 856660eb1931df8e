package validate_test

import (
	"fmt"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

func ExamplePayload() {
	body := []byte(`{
  "id": "550e8400-e29b-41d4-a716-446655440000",
  "version": "2",
  "event": "owox.data-marts.webhook.data_mart.run.failed",
  "timestamp": "2024-01-15T10:30:00.000Z",
  "data": null
}`)
	for _, f := range validate.Payload(body) {
		fmt.Printf("%d:%d: %s: %s [%s]\n", f.Line, f.Column, f.Severity, f.Message, f.Rule)
	}
	// Output:
	// 3:14: error: version is "2", want "1" [version-documented]
	// 6:11: error: data is null, want an object [member-type]
}

func ExampleNew() {
	strict, err := validate.New(validate.Config{
		Strict:     true,
		Severities: map[string]validate.Severity{validate.URLAbsolute: validate.Off},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(validate.Valid(strict.Payload([]byte(`{}`))))
	// Output: false
}
