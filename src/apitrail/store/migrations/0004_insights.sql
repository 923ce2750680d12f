-- What Insights counts. category: 0 management, 1 data. error: of error rates; empty: the rate of all calls.
CREATE TABLE insight_series (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  category INTEGER NOT NULL,
  source TEXT NOT NULL,
  name TEXT NOT NULL,
  error TEXT NOT NULL,
  UNIQUE (account, region, category, source, name, error)
);

-- How many calls there were in a period; periods without any have no row. period: seconds. at: its start, epoch seconds.
CREATE TABLE insight_counts (
  series INTEGER NOT NULL,
  period INTEGER NOT NULL,
  at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (series, period, at)
) WITHOUT ROWID;
CREATE INDEX insight_counts_by_time ON insight_counts (period, at);

-- The same by who called and how: attribute is userIdentityArn, userAgent, errorCode or resourceArn.
CREATE TABLE insight_values (
  series INTEGER NOT NULL,
  period INTEGER NOT NULL,
  at INTEGER NOT NULL,
  attribute TEXT NOT NULL,
  value TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (series, period, at, attribute, value)
) WITHOUT ROWID;
CREATE INDEX insight_values_by_time ON insight_values (period, at);

-- Where events are counted, and since which minute (epoch seconds).
CREATE TABLE insight_places (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  category INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (account, region, category)
) WITHOUT ROWID;

-- Unusual activity that goes on: a Start has been written and no End yet.
CREATE TABLE insights_open (
  series INTEGER PRIMARY KEY,
  doc BLOB NOT NULL
);

-- Insights events that are about data events, which event history does not show.
CREATE TABLE insight_events (
  seq INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  time INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  source TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL
);
CREATE INDEX insight_events_by_time ON insight_events (account, region, time);

-- 1 for log files of Insights events, which go into a folder of their own.
ALTER TABLE log_files ADD COLUMN insight INTEGER NOT NULL DEFAULT 0;
