package journal

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is a PostgreSQL database, which may be another program's too.
type postgres struct {
	url      string
	existing bool // there must be a journal in it
	reading  bool // nothing is written
	pool     *pgxpool.Pool
	db       *sql.DB // over pool
	insert   string  // insertion, once it is known; for the goroutine that writes
}

const minConns = 2

// OWOX gives up after 10 seconds, and does not try again then: it is told
// within five.
const (
	connectTimeout = 4 * time.Second
	groupTimeout   = 4500 * time.Millisecond
)

// IsURL reports whether a journal is in PostgreSQL and not in a file.
func IsURL(where string) bool {
	scheme, _, ok := strings.Cut(where, "://")
	return ok && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql"))
}

// isSettings reports whether it is what libpq takes instead of a URL, such as
// "host=db dbname=hooks": a file of that name would be made in silence.
func isSettings(where string) bool { return libpqSetting().MatchString(where) }

var libpqSetting = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(^|\s)(host|hostaddr|dbname|user|password|service)\s*=`)
})

// lowerScheme returns a URL as pgx knows it.
func lowerScheme(where string) string {
	scheme, rest, _ := strings.Cut(where, "://")
	return strings.ToLower(scheme) + "://" + rest
}

// Redact returns where a journal is, without passwords.
func Redact(where string) string {
	if isSettings(where) && !IsURL(where) {
		return "…"
	}
	scheme, _, ok := strings.Cut(where, "://")
	if !ok {
		return where
	}
	u, err := url.Parse(where)
	if err != nil || !IsURL(where) {
		return scheme + "://…" // nobody knows what in it is a password
	}
	query := strings.Split(u.RawQuery, "&")
	for i, param := range query {
		if name, _, ok := strings.Cut(param, "="); ok && strings.Contains(strings.ToLower(name), "password") {
			query[i] = name + "=xxxxx"
		}
	}
	u.RawQuery = strings.Join(query, "&")
	return u.Redacted()
}

func (p *postgres) name() string { return Redact(p.url) }

func (*postgres) migrations() (goose.Dialect, string) {
	return goose.DialectPostgres, "migrations/postgres"
}

// openReader opens the pool, whose connections read and write.
func (p *postgres) openReader(ctx context.Context) (*sql.DB, error) {
	u, err := url.Parse(p.url)
	if err != nil {
		return nil, ErrURL
	}
	config, err := pgxpool.ParseConfig(p.url)
	if err != nil {
		_, why, _ := strings.Cut(err.Error(), "`: ") // after the URL, with its password
		return nil, fmt.Errorf("%w: %s", ErrURL, why)
	}
	set := u.Query()
	if !set.Has("pool_max_conns") {
		config.MaxConns = 10
	}
	if config.MaxConns < minConns {
		return nil, fmt.Errorf("%w: pool_max_conns is %d, want %d or more: one connection writes, and others read", ErrURL, config.MaxConns, minConns)
	}
	if !set.Has("connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	parameters := config.ConnConfig.RuntimeParams
	parameters["application_name"] = cmp.Or(parameters["application_name"], "owoxhook")
	if p.reading {
		parameters["default_transaction_read_only"] = "on"
	}
	if p.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config); err != nil {
		return nil, err
	}
	p.db = stdlib.OpenDBFromPool(p.pool)
	return p.db, nil
}

func (p *postgres) openWriter() (*sql.DB, error) { return p.db, nil }

// recognise makes sure that the tables are a journal's, or not there. Another
// process may be making them at the same moment.
func (p *postgres) recognise(ctx context.Context, db *sql.DB) error {
	var encoding string
	var schema sql.NullString
	var ours, others bool
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_encoding'), current_schema(),
		COALESCE(BOOL_OR(table_name = 'deliveries' AND column_name = 'webhook_id'), FALSE),
		COALESCE(BOOL_OR(table_name IN ('deliveries', 'attempts', 'refused')), FALSE)
		FROM information_schema.columns WHERE table_schema = current_schema()`).Scan(&encoding, &schema, &ours, &others)
	switch {
	case err != nil:
		return err
	case !schema.Valid:
		return fmt.Errorf("%w: no schema of its search_path exists", ErrNoDatabase)
	case encoding != "UTF8":
		return fmt.Errorf("%w %s", ErrEncoding, encoding)
	case others && !ours:
		return ErrForeign
	case p.existing && !ours:
		return ErrMissing
	default:
		return nil
	}
}

// begin begins a transaction in which a group is written, one after the other
// among all processes that write to this journal, and that for three reasons:
//
//   - Sequences become visible in their order. A reader that goes on after the
//     last sequence it saw would otherwise miss one that was given before and is
//     committed later.
//   - A duplicate sees the first delivery, which may be another process's.
//   - Nothing can deadlock, whatever a group updates and deletes.
//
// A process that dies in the middle gives the lock back; one that is stopped,
// or off the network, has it taken away before the others give up waiting.
//
// A plan is made once and used on and on: one that reads all of a table is good
// only as long as there is next to nothing in it.
func (*postgres) begin(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
		SET LOCAL lock_timeout = 4000; SET LOCAL idle_in_transaction_session_timeout = 3000; SET LOCAL enable_seqscan = off;
		SELECT set_config('synchronous_commit', 'on', TRUE) WHERE current_setting('synchronous_commit') = 'off';
		SELECT pg_advisory_xact_lock('deliveries'::regclass::bigint)`)
	return err
}

func (*postgres) end(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "COMMIT")
	return err
}

// rebind numbers the arguments of a query. There is no ? in its texts.
func (*postgres) rebind(query string) string {
	var out strings.Builder
	for n, part := range strings.Split(query, "?") {
		if n > 0 {
			out.WriteString("$" + strconv.Itoa(n))
		}
		out.WriteString(part)
	}
	return out.String()
}

// insertion is insertDelivery for many rows, of which no two are of one id or run:
// a column is an array. As long as PostgreSQL does not know that runs are many
// and events few, it would look for a run among all of its event: it cannot by
// their index, then.
func insertion(types []string) string {
	from, names := make([]string, len(types)), make([]string, len(types))
	for i, element := range types {
		from[i], names[i] = fmt.Sprintf("$%d::%s[]", i+1, element), fmt.Sprint("v", i)
	}
	query := strings.Replace(insertDelivery, "event = ? ORDER BY sequence", "(event || '') = ? ORDER BY sequence + 0", 1)
	for _, name := range names {
		query = strings.Replace(query, "?", "came."+name, 1)
	}
	into, rest, _ := strings.Cut(query, "VALUES (")
	values, returning, _ := strings.Cut(rest, ")\n\t\tRETURNING")
	return into + "SELECT " + values + " FROM unnest(" + strings.Join(from, ", ") + ") WITH ORDINALITY AS came (" +
		strings.Join(names, ", ") + ", place) ORDER BY place RETURNING" + returning
}

// insertAll sends all rows at once: one round trip for a group.
func (p *postgres) insertAll(ctx context.Context, conn *sql.Conn, rows []*row) error {
	batch := &pgx.Batch{}
	for len(rows) > 0 {
		some := apart(rows)
		rows = rows[len(some):]
		columns, types := p.columns(some)
		if p.insert == "" {
			p.insert = insertion(types)
		}
		batch.Queue(p.insert, columns...).Query(func(came pgx.Rows) error {
			for i := 0; came.Next(); i++ {
				if err := some[i].scan(came); err != nil {
					return err
				}
			}
			return came.Err()
		})
	}
	return conn.Raw(func(driver any) error {
		return driver.(*stdlib.Conn).Conn().SendBatch(ctx, batch).Close() //nolint:forcetypeassert // we opened it
	})
}

// statementBytes is about how much of bodies a statement may have, which is one
// message to PostgreSQL.
const statementBytes = 8 << 20

// apart returns the first rows, as many as are of different ids and runs: a
// statement does not see the rows that it writes itself.
func apart(rows []*row) []*row {
	seen, bytes := map[string]bool{}, 0
	for i, r := range rows {
		id, run := "id "+key(r.ID).stored(), "run "+key(r.RunID).stored()
		if bytes += len(r.Body); i > 0 && (bytes > statementBytes || r.ID != "" && seen[id] || r.RunID != "" && !r.IsTest && seen[run]) {
			return rows[:i]
		}
		seen[id], seen[run] = true, true
	}
	return rows
}

// sampled is how many deliveries used looks at.
const sampled = 1000

// used estimates how many bytes the deliveries have, unless they are enough to
// say that it is no more than a bound: tables keep the space of what was
// deleted, for what comes.
func (p *postgres) used(ctx context.Context, conn *sql.Conn, bound int64) (bytes int64, err error) {
	err = conn.QueryRowContext(ctx, `SELECT SUM(pg_total_relation_size(name::regclass)) FROM (VALUES ('deliveries'), ('attempts'), ('refused')) AS tables (name)`).Scan(&bytes)
	if err != nil || bytes <= bound {
		return bytes, err
	}
	err = conn.QueryRowContext(ctx, `WITH ends AS (SELECT MIN(sequence) AS oldest, MAX(sequence) AS newest FROM deliveries),
		every AS (SELECT oldest, newest, (newest - oldest) / $1 + 1 AS step FROM ends)
		SELECT COALESCE(SUM(pg_column_size(deliveries.*) + $2) * MIN(step), 0)::bigint FROM every, deliveries
		WHERE sequence IN (SELECT generate_series(oldest, newest, step) FROM every)`, sampled, indexed).Scan(&bytes)
	return bytes, err
}

// indexed is about what the indexes have of a delivery, in bytes.
const indexed = 700

// giveBack leaves it to PostgreSQL, which uses the space again.
func (*postgres) giveBack(context.Context, *sql.Conn) (more bool, err error) { return false, nil }

// tidy has space used again at once. Files stay as large as they are, but for
// what is free at their ends.
func (p *postgres) tidy(ctx context.Context) error {
	_, err := p.pool.Exec(ctx, "VACUUM deliveries, attempts, refused")
	return err
}

func (p *postgres) pooled() *pgxpool.Pool { return p.pool }

func (p *postgres) close() {
	if p.pool != nil {
		p.pool.Close()
	}
}
