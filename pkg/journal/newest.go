package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
)

// newest is what the goroutine that writes knows of the newest entries, so that
// it can tell duplicates without an index of all ids: ids are random, and most
// pages of such an index would be written with every commit. Entries that are
// not among the newest any more get into the table ids, a block at a time.
//
// It is read when it is needed, and again where others wrote in between.
type newest struct {
	current bool           // nobody else wrote since it was read
	version int64          // of the database that it was read from
	given   int64          // the last sequence
	ids     map[idKey]span // nil: nothing was read
	ring    []numbered     // the entries that ids is about, by their sequences
	indexed bool           // there are entries in the table ids
}

// span is from the first sequence with an id to the last one.
type span struct{ first, last int64 }

type numbered struct {
	sequence int64
	key      idKey
}

// idKey is what an id is remembered by: ids are short, but not everything that
// comes as one. It is zero where there is none.
type idKey [16]byte

func keyOf(id string) idKey {
	if id == "" {
		return idKey{}
	}
	sum := sha256.Sum256([]byte(id))
	return idKey(sum[:])
}

// Sequences that are remembered, which may become more but never fewer, and
// how many of them get into the table ids at once. More than listen keeps by
// default: then nothing has to.
const (
	remembered = 32 * block
	block      = 512
)

const (
	selectGiven   = "SELECT MAX(sequence) FROM (SELECT MAX(sequence) AS sequence FROM deliveries UNION ALL SELECT given FROM numbers)"
	selectIDs     = "SELECT sequence, webhook_id FROM deliveries WHERE sequence > ? ORDER BY sequence"
	selectIndexed = "SELECT COUNT(*) FROM (SELECT 1 FROM ids LIMIT 1)"
	selectFirst   = `SELECT MIN(sequence) FROM ids JOIN deliveries ON sequence = delivery
		WHERE ids.webhook_id = SUBSTR(?, 1, 64) AND deliveries.webhook_id = ?`
	insertIDs = `INSERT INTO ids SELECT SUBSTR(webhook_id, 1, 64), sequence FROM deliveries
		WHERE sequence >= ? AND sequence < ? AND webhook_id <> '' AND duplicate_of IS NULL ORDER BY 1, 2 ON CONFLICT DO NOTHING`
)

// refresh makes sure that the newest entries are known. It must be called in a
// transaction that writes: only then do they stay the newest ones.
func (j *Journal) refresh(ctx context.Context) error {
	n := &j.newest
	if n.current {
		return nil
	}
	var version, given int64
	if err := j.conn.QueryRowContext(ctx, selectVersion).Scan(&version); err != nil {
		return err
	}
	if n.current = n.ids != nil && n.version == version; n.current {
		return nil
	}
	if n.ids == nil {
		n.ids, n.ring = make(map[idKey]span), make([]numbered, remembered)
	}
	if err := j.conn.QueryRowContext(ctx, selectGiven).Scan(&given); err != nil {
		return err
	}
	if err := j.readIDs(ctx, max(n.given, given-remembered)); err != nil {
		return err
	}
	if err := j.conn.QueryRowContext(ctx, selectIndexed).Scan(&n.indexed); err != nil {
		return err
	}
	n.current, n.version, n.given = true, version, given
	return nil
}

// readIDs reads the entries after a sequence.
func (j *Journal) readIDs(ctx context.Context, after int64) error {
	rows, err := j.conn.QueryContext(ctx, selectIDs, after)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var sequence int64
		var id string
		if err := rows.Scan(&sequence, &id); err != nil {
			return err
		}
		j.newest.add(sequence, keyOf(id))
	}
	return rows.Err()
}

// add adds an entry, and drops the one that is not among the newest any more
// because of it.
func (n *newest) add(sequence int64, key idKey) {
	place := &n.ring[sequence%remembered]
	if n.ids[place.key].last == place.sequence {
		delete(n.ids, place.key)
	}
	*place = numbered{sequence, key}
	if key == (idKey{}) {
		return
	}
	with, again := n.ids[key]
	if !again {
		with.first = sequence
	}
	with.last = sequence
	n.ids[key] = with
}

// insert writes a delivery with its sequence and what it is a duplicate of.
func (j *Journal) insert(ctx context.Context, r row) (sequence int64, err error) {
	if err := j.refresh(ctx); err != nil {
		return 0, err
	}
	n := &j.newest
	sequence = n.given + 1
	if sequence%block == 0 {
		if err := j.index(ctx, sequence-remembered); err != nil {
			return 0, err
		}
	}
	first, err := j.firstWith(ctx, r.id, r.key)
	if err != nil {
		return 0, err
	}
	r.values[0], r.values[1] = sequence, first
	insertion := j.insertion
	if r.usual {
		insertion = j.usual
	}
	if _, err := insertion.ExecContext(ctx, r.values...); err != nil {
		return 0, err
	}
	n.given = sequence
	n.add(sequence, r.key)
	return sequence, nil
}

// index puts the block that begins with a sequence into the table ids, before
// it is forgotten.
func (j *Journal) index(ctx context.Context, from int64) error {
	result, err := j.conn.ExecContext(ctx, insertIDs, from, from+block)
	if err != nil {
		return err
	}
	rows, err := result.RowsAffected()
	j.newest.indexed = j.newest.indexed || rows > 0
	return err
}

// firstWith returns the sequence of the first entry with an id, or NULL.
func (j *Journal) firstWith(ctx context.Context, id string, key idKey) (first sql.NullInt64, err error) {
	if j.newest.indexed && key != (idKey{}) {
		err = j.lookup.QueryRowContext(ctx, id, id).Scan(&first)
	}
	if with, again := j.newest.ids[key]; !first.Valid && again {
		first = sql.NullInt64{Int64: with.first, Valid: true}
	}
	return first, err
}
