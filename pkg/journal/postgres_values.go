package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// Some texts are more than that to PostgreSQL.
type (
	key      string // in an index, which has no room for a long one
	jsonText string
)

// maxKey is how long a text in an index may be: three of its size fit.
const maxKey = 512

// args returns arguments as PostgreSQL takes them: no text may have a byte 0,
// or be no UTF-8, wherever it came from.
func (*postgres) args(values []any) []any {
	out := make([]any, len(values))
	for i, value := range values {
		switch v := value.(type) {
		case key:
			out[i] = v.stored()
		case jsonText:
			out[i] = withoutZeros(string(v))
		case string:
			out[i] = text(v)
		default:
			out[i] = v
		}
	}
	return out
}

// columns returns the arguments of rows as arrays, one for each column, and the
// types of their elements.
func (p *postgres) columns(rows []*row) (columns []any, types []string) {
	args := make([][]any, len(rows))
	for i, r := range rows {
		args[i] = p.args(r.values)
	}
	for i, first := range rows[0].values {
		var column any
		var element string
		switch first.(type) {
		case bool:
			column, element = columnOf[bool](args, i), "boolean"
		case int:
			column, element = columnOf[int](args, i), "integer"
		case []byte:
			column, element = columnOf[[]byte](args, i), "bytea"
		case jsonText:
			column, element = columnOf[string](args, i), "jsonb"
		default: // one that may be nil is a text
			column, element = columnOf[string](args, i), "text"
		}
		columns, types = append(columns, column), append(types, element)
	}
	return columns, types
}

func columnOf[T any](args [][]any, i int) []*T {
	column := make([]*T, len(args))
	for n, row := range args {
		if value, ok := row[i].(T); ok {
			column[n] = &value
		}
	}
	return column
}

func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// stored ends a long text with a hash of it, so that it still is like no other.
func (k key) stored() string {
	s := text(string(k))
	if len(s) <= maxKey {
		return s
	}
	const kept = 400
	end := kept
	for !utf8.RuneStart(s[end]) {
		end--
	}
	hash := sha256.Sum256([]byte(s))
	return s[:end] + "…" + hex.EncodeToString(hash[:])
}

// withoutZeros replaces the escapes of characters 0 in JSON.
func withoutZeros(s string) string {
	if !strings.Contains(s, `\u0000`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\\`, `\u0000`, `\ufffd`).Replace(s) // from left to right: a backslash may be escaped
}

// explain turns what the database says into errors of this package.
func (*postgres) explain(err error) error {
	if errors.Is(err, context.Canceled) || isAny(err, ErrUnreachable, ErrLogin) {
		return err
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return explainCode(said, err)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		isAny(err, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, sql.ErrConnDone, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s", ErrUnreachable, reason(err))
	}
	return err
}

func explainCode(said *pgconn.PgError, err error) error {
	switch said.Code {
	case "28000", "28P01":
		return fmt.Errorf("%w: %s", ErrLogin, said.Message)
	case "3D000":
		return fmt.Errorf("%w: %s", ErrNoDatabase, said.Message)
	case "42501":
		return fmt.Errorf("%w: %s", ErrDenied, said.Message)
	case "25006":
		return ErrReadOnly
	case "42P01":
		return ErrMissing
	case "55P03":
		return ErrBusy
	case "25P03": // see begin
		return fmt.Errorf("%w: %s", ErrUnreachable, said.Message)
	}
	switch said.Code[:2] {
	case "08", "57": // a connection, or a server that stops or starts
		return fmt.Errorf("%w: %s", ErrUnreachable, said.Message)
	case "53":
		if said.Code == "53100" {
			return ErrFull
		}
		return fmt.Errorf("%w: %s", ErrUnreachable, said.Message) // no connection or memory left
	default:
		return err
	}
}

// reason is the part of an error that tells why there is no connection.
func reason(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return dns.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer"
	case errors.As(err, &op):
		return op.Error()
	case isAny(err, io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn, sql.ErrConnDone):
		return "the connection was lost"
	default:
		lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
		return strings.TrimSpace(lines[len(lines)-1])
	}
}
