// Code generated from the field table by go generate. DO NOT EDIT.

package owox

import "time"

// Payload is the body of a delivery, for reading it with a JSON package.
type Payload struct {
	ID        string    `json:"id,omitzero"`        // Unique event ID (UUID). Use for deduplication.
	Version   string    `json:"version,omitzero"`   // Payload schema version. Currently "1".
	Event     string    `json:"event,omitzero"`     // Event type identifier.
	Timestamp time.Time `json:"timestamp,omitzero"` // ISO 8601 timestamp of when the event was generated.
	IsTest    bool      `json:"isTest,omitzero"`    // Present and true only for test events sent via the Test button. Omitted for real events.
	Data      Data      `json:"data,omitzero"`      // Event-specific payload.
}

// Data is the object data of a payload.
type Data struct {
	ProjectID    string   `json:"projectId,omitzero"`    // ID of the project that the data mart belongs to.
	ProjectTitle string   `json:"projectTitle,omitzero"` // Title of the project.
	DataMart     DataMart `json:"dataMart,omitzero"`     // The data mart that ran.
	Run          Run      `json:"run,omitzero"`          // The run that the event is about.
}

// DataMart is the object data.dataMart of a payload.
type DataMart struct {
	ID    string `json:"id,omitzero"`    // ID of the data mart.
	Title string `json:"title,omitzero"` // Title of the data mart.
	URL   string `json:"url,omitzero"`   // Absolute URL of the data mart in OWOX.
}

// Run is the object data.run of a payload.
type Run struct {
	ID            string    `json:"id,omitzero"`            // ID of the run.
	Status        string    `json:"status,omitzero"`        // Status of the run: it goes with the event.
	Type          string    `json:"type,omitzero"`          // Not documented.
	StartedAt     time.Time `json:"startedAt,omitzero"`     // When the run started.
	FinishedAt    time.Time `json:"finishedAt,omitzero"`    // When the run finished.
	Errors        []string  `json:"errors,omitzero"`        // The error messages of a failed run.
	DurationMS    *int64    `json:"durationMs,omitzero"`    // How long the run took, in milliseconds.
	RowsProcessed *int64    `json:"rowsProcessed,omitzero"` // How many rows the run processed.
}
