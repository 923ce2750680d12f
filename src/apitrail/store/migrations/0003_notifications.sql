-- Messages that topics took, kept until no subscription waits for them any more.
CREATE TABLE topic_messages (
  id INTEGER PRIMARY KEY,
  doc BLOB NOT NULL
);

-- A message on its way to one subscription. Sent in the order of id.
CREATE TABLE topic_deliveries (
  id INTEGER PRIMARY KEY,
  subscription TEXT NOT NULL,
  message INTEGER NOT NULL
);
CREATE INDEX topic_deliveries_by_subscription ON topic_deliveries (subscription, id);
CREATE INDEX topic_deliveries_by_message ON topic_deliveries (message);

-- A subscription with deliveries that wait. attempts: failed ones of the oldest delivery. next_at: epoch seconds.
CREATE TABLE topic_lanes (
  subscription TEXT PRIMARY KEY,
  waiting INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX topic_lanes_by_time ON topic_lanes (next_at);

-- Messages in queues. visible_at, sent_at, first_received_at: epoch seconds. receipt: of the latest reception.
CREATE TABLE queue_messages (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  visible_at REAL NOT NULL,
  sent_at REAL NOT NULL,
  receive_count INTEGER NOT NULL DEFAULT 0,
  first_received_at REAL,
  receipt TEXT NOT NULL DEFAULT '',
  doc BLOB NOT NULL
);
CREATE INDEX queue_messages_by_time ON queue_messages (queue, visible_at, id);
CREATE INDEX queue_messages_by_age ON queue_messages (queue, sent_at);

-- How many messages a queue holds.
CREATE TABLE queue_sizes (
  queue TEXT PRIMARY KEY,
  message_count INTEGER NOT NULL
) WITHOUT ROWID;

-- Where a trail announces its log files.
CREATE TABLE trail_topics (
  trail TEXT PRIMARY KEY,
  topic TEXT NOT NULL
) WITHOUT ROWID;

-- What trails have to announce. key: of a log file that is in its bucket, or empty for the message that tries a topic out.
CREATE TABLE trail_notifications (
  id INTEGER PRIMARY KEY,
  trail TEXT NOT NULL,
  region TEXT NOT NULL,
  topic TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL
);
CREATE INDEX trail_notifications_by_trail ON trail_notifications (trail, id);

ALTER TABLE deliveries ADD COLUMN notified_at REAL;
ALTER TABLE deliveries ADD COLUMN notify_attempt_at REAL;
ALTER TABLE deliveries ADD COLUMN notify_error TEXT NOT NULL DEFAULT '';
