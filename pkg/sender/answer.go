package sender

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// answers reads answers off a connection, of which none may be endless.
type answers struct {
	*bufio.Reader
	limited io.LimitedReader
}

const (
	maxHead   = 1 << 20 // bytes
	maxAnswer = 16 << 20
)

var errAnswerTooLarge = fmt.Errorf("a head of more than %d MiB, or a body of more than %d MiB", maxHead>>20, maxAnswer>>20)

func newAnswers(conn io.Reader) *answers {
	a := &answers{limited: io.LimitedReader{R: conn}}
	a.Reader = bufio.NewReader(&a.limited)
	return a
}

// next reads an answer to its end, and what informs of it before that. again
// is false when there can be no other one.
func (a *answers) next() (status int, again bool, err error) {
	for informs := true; informs; informs = status/100 == 1 && status != http.StatusSwitchingProtocols {
		a.limited.N = maxHead
		status, again, err = a.read()
		switch {
		case err != nil && a.limited.N <= 0:
			return 0, false, errAnswerTooLarge
		case err != nil:
			return 0, false, err
		}
	}
	return status, again && status != http.StatusSwitchingProtocols && a.Buffered() == 0, nil
}

// read reads an answer. Most are plain, and read without what net/http needs
// for the others.
func (a *answers) read() (status int, again bool, err error) {
	if _, err := a.Peek(1); err != nil {
		return 0, false, err
	}
	there, _ := a.Peek(a.Buffered()) // it is there
	if plain, ok := parsePlainAnswer(there); ok {
		a.limited.N = maxAnswer
		_, err := a.Discard(plain.head + plain.body)
		return plain.status, true, err
	}
	response, err := http.ReadResponse(a.Reader, nil)
	if err != nil {
		return 0, false, err
	}
	a.limited.N = maxAnswer
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close() // it was read
	return response.StatusCode, !response.Close, err
}

// plainAnswer is an answer of HTTP/1.1 with a length, or with a status that
// allows no body.
type plainAnswer struct {
	status     int
	head, body int // bytes
}

const maxLengthDigits = 9

// parsePlainAnswer reads the head of the answer that text starts with. ok is
// false when it is not plain, or not there to its end.
func parsePlainAnswer(text []byte) (a plainAnswer, ok bool) {
	line, rest, found := bytes.Cut(text, []byte("\r\n"))
	line, isHTTP := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !found || !isHTTP || !printable(line) || len(line) < 3 || len(line) > 3 && line[3] != ' ' {
		return a, false
	}
	if a.status, ok = number(line[:3]); !ok || a.status < 200 || a.status == http.StatusNotModified {
		return a, false
	}
	a.body = -1
	for {
		if line, rest, found = bytes.Cut(rest, []byte("\r\n")); !found {
			return a, false
		}
		if len(line) == 0 {
			break
		}
		if !a.header(line) {
			return a, false
		}
	}
	a.head = len(text) - len(rest)
	if a.status == http.StatusNoContent {
		a.body++ // there must be no length
	}
	return a, a.body >= 0
}

// header reads a header of a plain answer.
func (a *plainAnswer) header(line []byte) (ok bool) {
	name, value, found := bytes.Cut(line, []byte(":"))
	value = bytes.Trim(value, " ")
	if !found || !isName(name) || !printable(value) {
		return false
	}
	is := func(key string) bool { return len(name) == len(key) && bytes.EqualFold(name, []byte(key)) }
	switch {
	case is("Content-Length"):
		length, ok := number(value)
		if !ok || a.body >= 0 || a.status == http.StatusNoContent {
			return false
		}
		a.body = length
	case is("Connection"):
		return bytes.EqualFold(value, []byte("keep-alive"))
	case is("Transfer-Encoding"), is("Trailer"):
		return false
	}
	return true
}

func number(text []byte) (n int, ok bool) {
	if len(text) == 0 || len(text) > maxLengthDigits {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(string(text))
	return n, err == nil
}

// isName reports whether a header has a name of letters, digits and hyphens.
func isName(text []byte) bool {
	for _, c := range text {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(text) > 0
}

func printable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
