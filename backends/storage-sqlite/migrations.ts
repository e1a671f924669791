/**
 * The schema, as the ordered list of steps that make it; `PRAGMA user_version` counts the steps a file has had.
 *
 * Why this shape:
 * - Store names are small integers in every row, interned in `store`.
 * - `keyval`, `map` and `counter` are clustered by (store, owner[, key]) without a rowid: what a login reads (a roster) is
 *   one contiguous range of one tree.
 * - `entry` is a rowid table: appends go to the end of the tree whatever the owner, which costs a tenth of inserting wide
 *   rows in the middle of a clustered one. `archive` interns (store, owner), so its three indexes are narrow.
 * - `high` is the greatest `at` of the archive up to and including the entry. It never falls, so (archive, high, seq) is both
 *   the order of append and searchable by time. `late_max` is the greatest `high - at` of the archive: an entry at or before
 *   T has `high <= T + late_max`, so an upper bound in time is a bound in the index too, though wall clocks step back.
 * - `entry_text` has the words of entries that came with a text, by the entry's `seq`, and not the texts themselves.
 *   `place` is one word that names the archive: a search intersects its list with those of the words, and both are in
 *   the order of append, so that it costs what the archive has of these words and not what everybody has.
 * - `journal` and `segment` hold logs (`journal.ts`, `segments.ts`): entries of a log go into `entry` only while words are
 *   searched. `folded` of an archive is where its part of the journal begins, 0 when it is no log. Of a segment, `high` is
 *   that of its last entry, `low` the least `at`, `size` its characters.
 * - An archive that is being deleted has no owner and a negative `store` (`trash.ts`).
 */
export const APPLICATION_ID = 0x526f_6c6c

export const migrations: readonly string[] = [
  `
  CREATE TABLE store (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE keyval (
    store INTEGER NOT NULL, owner TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (store, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE map (
    store INTEGER NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (store, owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE counter (
    store INTEGER NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (store, owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE archive (
    id INTEGER PRIMARY KEY, store INTEGER NOT NULL, owner TEXT NOT NULL, late_max INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, store)
  ) STRICT;
  CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, archive INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, high INTEGER NOT NULL,
    peer TEXT NOT NULL, value TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX entry_id ON entry (archive, id);
  CREATE INDEX entry_order ON entry (archive, high);
  CREATE INDEX entry_peer ON entry (archive, peer, high);
  `,
  `
  CREATE VIRTUAL TABLE entry_text USING fts5(
    place, words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
  );
  CREATE TRIGGER entry_text_gone AFTER DELETE ON entry BEGIN DELETE FROM entry_text WHERE rowid = old.seq; END;
  `,
  `
  ALTER TABLE archive ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE journal (first INTEGER PRIMARY KEY, head TEXT NOT NULL, data TEXT NOT NULL) STRICT;
  INSERT INTO journal VALUES (2, '[]', '');
  CREATE TABLE segment (
    seq INTEGER PRIMARY KEY, archive INTEGER NOT NULL, last_id TEXT NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
    count INTEGER NOT NULL, size INTEGER NOT NULL, head TEXT NOT NULL, data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX segment_order ON segment (archive, seq, low, high, count);
  CREATE INDEX segment_id ON segment (archive, last_id);
  CREATE INDEX segment_high ON segment (archive, high);
  CREATE TABLE segment_peer (
    archive INTEGER NOT NULL, peer TEXT NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (archive, peer, seq)
  ) STRICT, WITHOUT ROWID;
  `,
]
