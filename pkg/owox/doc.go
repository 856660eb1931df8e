// Package owox is the contract of OWOX Data Marts webhooks as data: header
// names, event types, the table of payload members, payload types, sample
// payloads and JSON Schema.
//
// Its facts come from the OWOX documentation page "Webhooks"; what is said of
// a member "in the field" was observed of the real sender and is never a
// reason to refuse a payload.
//
// [Fields] is the only description of a payload there is. Samples, schema,
// payload types and every check of the validator are derived from it, so a
// change of the contract is a change of one row.
//
//go:generate go test -run TestPayloadTypesAreGenerated -update .
package owox
