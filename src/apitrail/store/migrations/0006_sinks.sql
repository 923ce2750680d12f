-- What is known of the deliveries to a stream sink per region. sink: the follower's name. Times in epoch seconds.
CREATE TABLE sink_deliveries (
  sink TEXT NOT NULL,
  region TEXT NOT NULL,
  success_at REAL,
  error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (sink, region)
) WITHOUT ROWID;
