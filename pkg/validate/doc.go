// Package validate validates payloads and whole requests against the contract of
// OWOX Data Marts webhooks.
//
// A payload is validated to its end in one pass over its tokens: the result is
// every finding, each with a rule, a severity, a place and a message, in the
// order of the places. No input makes it fail: what cannot be read is a
// finding too. Findings of severity [Error] contradict the documentation;
// those of lower severity rest on its examples or on what was seen in the
// field.
//
// What a payload looks like is not said here: it is derived from the field
// table of package owox. The package does no I/O.
package validate
