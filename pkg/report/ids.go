package report

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	shortID   = 8  // characters at least of a shortened id
	longestID = 20 // columns of one that cannot be shortened
)

// shortIDs returns for each id as much of its beginning as no other of them has,
// and no less than eight characters. It is never a number: that names a delivery
// in another way.
func shortIDs(ids []string) []string {
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	short := make([]string, len(ids))
	for n, id := range ids {
		i, _ := slices.BinarySearch(sorted, id)
		length := shortID
		if i > 0 {
			length = max(length, 1+common(id, sorted[i-1]))
		}
		if i+1 < len(sorted) {
			length = max(length, 1+common(id, sorted[i+1]))
		}
		short[n] = prefix(id, length)
	}
	return short
}

// common is how many bytes two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// prefix returns at least so many bytes of an id, whole characters, and one that
// is not a digit.
func prefix(id string, length int) string {
	for length < len(id) && (!utf8.RuneStart(id[length]) || strings.Trim(id[:length], "0123456789") == "") {
		length++
	}
	return id[:min(length, len(id))]
}

// brief shortens an id among others that are not known: the beginning tells
// random ones apart, and only these.
func brief(id string) string {
	if uuid.Validate(id) == nil && len(id) == 36 && id[14] == '4' {
		return prefix(id, shortID)
	}
	return middle(Escape(id), longestID)
}
