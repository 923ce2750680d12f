-- Events that GameLift makes about placements and matches, until they are old. seq: order; never given twice.
-- resource: ARN that the event is about. topic: ARN of the SNS topic that it still has to be published to, or empty.
-- bus: 1 while it still has to be sent to EventBridge. event: JSON.
CREATE TABLE game_events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  time INTEGER NOT NULL,
  resource TEXT NOT NULL,
  topic TEXT NOT NULL,
  bus INTEGER NOT NULL,
  event BLOB NOT NULL
);
CREATE INDEX game_events_by_topic ON game_events (topic, seq) WHERE topic <> '';
CREATE INDEX game_events_for_bus ON game_events (seq) WHERE bus = 1;
