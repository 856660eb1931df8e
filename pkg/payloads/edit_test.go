package payloads_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/payloads"
)

func TestEditsChangeNothingElse(t *testing.T) {
	payload := `{ "id":"a",  "data":{"run":{"errors":["x"]}}, "n" : 1.0 }`
	tests := []struct {
		name  string
		edits []payloads.Edit
		want  string // "": refused
	}{
		{"nothing", nil, payload},
		{"a string", []payloads.Edit{{Path: "id", Value: "b"}}, `{ "id":"b",  "data":{"run":{"errors":["x"]}}, "n" : 1.0 }`},
		{"JSON", []payloads.Edit{{Path: "id", Value: `{"a":[1]}`}}, `{ "id":{"a":[1]},  "data":{"run":{"errors":["x"]}}, "n" : 1.0 }`},
		{"nearly JSON", []payloads.Edit{{Path: "id", Value: `01`}}, `{ "id":"01",  "data":{"run":{"errors":["x"]}}, "n" : 1.0 }`},
		{"an element", []payloads.Edit{{Path: "data.run.errors.0", Value: "y"}}, `{ "id":"a",  "data":{"run":{"errors":["y"]}}, "n" : 1.0 }`},
		{"set, then unset", []payloads.Edit{{Path: "id", Value: "b"}, {Path: "id", Unset: true}}, `{  "data":{"run":{"errors":["x"]}}, "n" : 1.0 }`},
		{"unset, then unset", []payloads.Edit{{Path: "id", Unset: true}, {Path: "id", Unset: true}}, ""},
		{"through a number", []payloads.Edit{{Path: "n.x", Value: "1"}}, ""},
		{"beyond an array", []payloads.Edit{{Path: "data.run.errors.5", Value: "1"}}, ""},
		{"a pattern", []payloads.Edit{{Path: "data.*", Value: "1"}}, ""},
		{"a modifier", []payloads.Edit{{Path: "@reverse", Unset: true}}, ""},
		{"an empty step", []payloads.Edit{{Path: "data.", Value: "1"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := []byte(payload), error(nil)
			for _, edit := range tt.edits {
				if err == nil {
					got, err = edit.Apply(got)
				}
			}
			if tt.want == "" {
				if err == nil {
					t.Errorf("not refused: %s", got)
				}
				return
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" || err != nil {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestRenewGivesANewIDAndTime(t *testing.T) {
	got, err := payloads.Renew(owox.Documented(owox.RunFailed), uuid.UUID{1}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if id, at := gjson.GetBytes(got, owox.PathID).Str, gjson.GetBytes(got, owox.PathTimestamp).Str; id != "01000000-0000-0000-0000-000000000000" || at != "2026-01-02T03:04:05.000Z" {
		t.Errorf("id %s, timestamp %s", id, at)
	}
}
