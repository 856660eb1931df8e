package owox

import "github.com/tidwall/gjson"

// Identity is what tells one event from another in lists and logs. A member
// that the payload does not have, or that has another type, is left zero.
type Identity struct {
	ID         string
	Event      EventType
	IsTest     bool
	ProjectID  string
	DataMartID string
	Title      string // of the data mart
	RunID      string
	RunStatus  string
}

// Identify reads the identity out of a payload without validating it: it takes
// what it can get from any bytes.
func Identify(payload []byte) Identity {
	text := func(path string) string {
		if r := gjson.GetBytes(payload, path); r.Type == gjson.String {
			return r.Str
		}
		return ""
	}
	return Identity{
		ID:         text(PathID),
		Event:      EventType(text(PathEvent)),
		IsTest:     gjson.GetBytes(payload, PathIsTest).Type == gjson.True,
		ProjectID:  text(PathProjectID),
		DataMartID: text(PathDataMartID),
		Title:      text(PathTitle),
		RunID:      text(PathRunID),
		RunStatus:  text(PathRunStatus),
	}
}
