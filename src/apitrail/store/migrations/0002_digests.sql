-- Log file integrity: stretches of validation, chains of digest files, the files themselves, and the keys that sign them.

-- Stretches in which the log files of a trail are proved: from StartLogging, or from the moment validation is switched on, to
-- the opposite. A log file belongs to the stretch when it begins behind after_seq and not behind end_seq (NULL: it goes on).
-- bucket, prefix: where digest files go. started_at: epoch seconds.
CREATE TABLE validations (
  id INTEGER PRIMARY KEY,
  trail TEXT NOT NULL,
  account TEXT NOT NULL,
  bucket TEXT NOT NULL,
  prefix TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  after_seq INTEGER NOT NULL,
  end_seq INTEGER
);
CREATE INDEX validations_by_trail ON validations (trail, id);

-- One chain per stretch, account and region of the log files. next_start: where the next window begins, epoch seconds.
-- last, last_backfill: the newest digest of the chain and of its backfill chain.
CREATE TABLE digest_chains (
  id INTEGER PRIMARY KEY,
  validation INTEGER NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  next_start INTEGER NOT NULL,
  last INTEGER,
  last_backfill INTEGER,
  UNIQUE (validation, account, region)
);

-- Digest files from seal to mark. content: before compression, NULL once delivered. signature: hex.
-- generated: for backfill digests when they were made, else empty. state: 0 sealed, 1 delivered.
CREATE TABLE digests (
  id INTEGER PRIMARY KEY,
  trail TEXT NOT NULL,
  region TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  start_at INTEGER NOT NULL,
  end_at INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  signature TEXT NOT NULL,
  generated TEXT NOT NULL DEFAULT '',
  content BLOB,
  state INTEGER NOT NULL DEFAULT 0,
  delivered_at REAL,
  UNIQUE (bucket, key)
);
CREATE INDEX digests_waiting ON digests (trail, id) WHERE state = 0;

-- The digest that lists a log file. NULL: none yet. 0: delivered while validation was off, so none ever will.
ALTER TABLE log_files ADD COLUMN digest INTEGER;
CREATE INDEX log_files_unlisted ON log_files (trail, account, region, id) WHERE digest IS NULL AND state = 1;

-- What is known of the deliveries of digest files. Times in epoch seconds.
CREATE TABLE digest_deliveries (
  trail TEXT NOT NULL,
  region TEXT NOT NULL,
  success_at REAL,
  attempt_at REAL,
  error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (trail, region)
) WITHOUT ROWID;

-- Public keys, kept for ever. value: DER of PKCS #1. made_at, valid_from, valid_to: epoch seconds.
-- retired: 1 when the private key is destroyed or about to be.
CREATE TABLE digest_keys (
  region TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  value BLOB NOT NULL,
  made_at REAL NOT NULL,
  valid_from INTEGER NOT NULL,
  valid_to INTEGER NOT NULL,
  retired INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (region, fingerprint)
) WITHOUT ROWID;
