package owox_test

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func ExampleSample_JSON() {
	sample := owox.Sample{
		Event: owox.RunFailed,
		Test:  true,
		ID:    uuid.MustParse("550e8400-e29b-41d4-a716-446655440000"),
		Now:   time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
	}
	fmt.Println(string(sample.JSON()[:64]))
	// Output: {"id":"550e8400-e29b-41d4-a716-446655440000","version":"1","even
}

func ExampleFieldsOf() {
	for _, field := range owox.FieldsOf(owox.RunSuccessful)[:4] {
		fmt.Println(field.Path, field.Type, field.Presence)
	}
	// Output:
	// id string required
	// version string required
	// event string required
	// timestamp string required
}
