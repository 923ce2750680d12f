-- Events of calls, in the order of their commits. One row per recipient account.
-- category: 0 management, 1 data, 2 insight, 3 insight on data events. time: eventTime in epoch seconds. event: the record as JSON.
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  gateway INTEGER NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  category INTEGER NOT NULL,
  time INTEGER NOT NULL,
  event BLOB NOT NULL
);

-- Documents of all services. scope: <kind>|<account>|<region>. ord: order of creation.
CREATE TABLE resources (
  ord INTEGER PRIMARY KEY,
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  doc BLOB NOT NULL,
  UNIQUE (scope, id)
);

-- Values by which documents are found again.
CREATE TABLE resource_index (
  scope TEXT NOT NULL,
  field TEXT NOT NULL,
  value NOT NULL,
  ord INTEGER NOT NULL,
  PRIMARY KEY (scope, field, value, ord)
) WITHOUT ROWID;

-- What is due later. due: epoch seconds.
CREATE TABLE timers (
  id INTEGER PRIMARY KEY,
  due REAL NOT NULL,
  kind TEXT NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  doc BLOB NOT NULL
);
CREATE INDEX timers_by_due ON timers (due, id);

-- What must happen outside the database after a commit, until it has happened.
CREATE TABLE effects (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  doc BLOB NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL,
  error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX effects_by_time ON effects (next_at, id);

-- How far a follower of the journal has come.
CREATE TABLE cursors (
  follower TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) WITHOUT ROWID;

-- Log files from seal to mark. first_seq, last_seq: the range of the journal that the file was made from.
-- state: 0 sealed, 1 delivered.
CREATE TABLE log_files (
  id INTEGER PRIMARY KEY,
  trail TEXT NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  event_count INTEGER NOT NULL,
  byte_count INTEGER NOT NULL,
  sealed_at REAL NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  delivered_at REAL,
  sha256 TEXT NOT NULL DEFAULT '',
  oldest_at INTEGER,
  newest_at INTEGER
);
CREATE INDEX log_files_waiting ON log_files (trail, state, id);

-- Spans of the journal during which a trail was logging, and by which selectors.
-- to_seq: last event of the span, or NULL while it is open.
CREATE TABLE trail_spans (
  id INTEGER PRIMARY KEY,
  trail TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER,
  config BLOB NOT NULL
);
CREATE INDEX trail_spans_by_trail ON trail_spans (trail, from_seq);

-- What is known of the deliveries of a trail per region. Times in epoch seconds.
CREATE TABLE deliveries (
  trail TEXT NOT NULL,
  region TEXT NOT NULL,
  success_at REAL,
  attempt_at REAL,
  error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (trail, region)
) WITHOUT ROWID;

-- How many events of its account a trail has seen so far while it was logging, and how many its selectors left out.
CREATE TABLE trail_counts (
  trail TEXT PRIMARY KEY,
  received INTEGER NOT NULL,
  filtered INTEGER NOT NULL
) WITHOUT ROWID;

-- Small values: keys of this store, counters, versions.
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
