"""Sealing fixes a log file's name and range; marking ends it. Between the two it may be put any number of times."""

from datetime import datetime
from typing import NamedTuple

from apitrail.ids import Ids
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.trail.follow import Seal
from apitrail.trail.logfile import EVENT_FILES, INSIGHT_FILES, logfile_name
from apitrail.trail.notify import announce
from apitrail.trail.trails import EVENTS_FOLLOWER, drop_spans, find_trail, follower_name, logs_follower, spans_of

SUFFIX_LENGTH = 16
COLUMNS = "id, trail, account, region, bucket, key, first_seq, last_seq, event_count, byte_count, insight"


class LogFile(NamedTuple):
    """A sealed log file that is not delivered yet."""

    id: int
    trail: str
    account: str
    region: str
    bucket: str
    key: str
    first_seq: int
    last_seq: int
    event_count: int
    byte_count: int
    insight: bool = False


def seal(tx: Tx, decision: Seal, now: datetime, ids: Ids) -> int:
    """Write down the log files of a decision and move the trail's cursor; return how many files.

    A decision whose events are behind the cursor was carried out before and changes nothing.
    """
    follower = follower_name(decision.trail)
    if journal.cursor(tx, follower) >= decision.upto:
        return 0
    for place, waiting in decision.places.items():
        kind = INSIGHT_FILES if place.insight else EVENT_FILES
        suffix = ids.token(SUFFIX_LENGTH)
        key = logfile_name(place.account, place.region, now, suffix, place.prefix, kind, place.organization)
        tx.insert(
            "INSERT INTO log_files (trail, account, region, bucket, key, first_seq, last_seq, event_count, byte_count,"
            " oldest_at, sealed_at, insight) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                decision.trail,
                place.account,
                place.region,
                place.bucket,
                key,
                waiting.first_seq,
                waiting.last_seq,
                waiting.event_count,
                waiting.byte_count,
                waiting.oldest,
                now.timestamp(),
                place.insight,
            ),
        )
    journal.move_cursor(tx, follower, decision.upto)
    _count(tx, decision)
    tidy(tx, decision.trail)
    return len(decision.places)


def waiting_files(tx: Tx, limit: int) -> list[LogFile]:
    """Return sealed log files that are not delivered yet, at most limit per trail, oldest first."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM (SELECT *, row_number() OVER (PARTITION BY trail ORDER BY id) AS place"
        " FROM log_files WHERE state = 0) WHERE place <= ? ORDER BY id",
        (limit,),
    )
    return [LogFile(*row)._replace(insight=bool(row[-1])) for row in rows]


def mark(tx: Tx, file: LogFile, now: datetime, sha256: str, oldest: int, newest: int) -> None:
    """Say that a log file is in its bucket. sha256: hex, of the content before compression."""
    at = now.timestamp()
    tx.run(
        "UPDATE log_files SET state = 1, delivered_at = ?, sha256 = ?, oldest_at = ?, newest_at = ? WHERE id = ?",
        (at, sha256, oldest, newest, file.id),
    )
    tx.run(
        "INSERT INTO deliveries (trail, region, success_at, attempt_at) VALUES (?, ?, ?, ?) ON CONFLICT (trail, region)"
        " DO UPDATE SET success_at = excluded.success_at, attempt_at = excluded.attempt_at, error = ''",
        (file.trail, file.region, at, at),
    )
    announce(tx, file.trail, file.region, file.bucket, file.key)
    tidy(tx, file.trail)


def note_failure(tx: Tx, file: LogFile, now: datetime, code: str) -> None:
    """Say that a put was tried in vain. code: the store's error code, empty for a time-out."""
    tx.run(
        "INSERT INTO deliveries (trail, region, attempt_at, error) VALUES (?, ?, ?, ?) ON CONFLICT (trail, region)"
        " DO UPDATE SET attempt_at = excluded.attempt_at, error = excluded.error",
        (file.trail, file.region, now.timestamp(), code),
    )


def _count(tx: Tx, decision: Seal) -> None:
    tx.run(
        "INSERT INTO trail_counts VALUES (?, ?, ?) ON CONFLICT (trail) DO UPDATE"
        " SET received = received + excluded.received, filtered = filtered + excluded.filtered",
        (decision.trail, decision.received, decision.filtered),
    )


def _first_not_sent(tx: Tx, trail: str) -> int:
    """Return the first event of the journal that stream sinks have yet to look at for a trail."""
    row = tx.one("SELECT min(seq) FROM cursors WHERE follower IN (?, ?)", (logs_follower(trail), EVENTS_FOLLOWER))
    return 1 << 62 if row is None or row[0] is None else row[0] + 1


def tidy(tx: Tx, trail: str) -> None:
    """Forget spans whose events are all delivered, and everything of a deleted trail once nothing of it waits."""
    row = tx.one("SELECT min(first_seq) FROM log_files WHERE trail = ? AND state = 0", (trail,))
    first_waiting = row[0] if row and row[0] is not None else journal.cursor(tx, follower_name(trail)) + 1
    drop_spans(tx, trail, min(first_waiting, _first_not_sent(tx, trail)))
    if find_trail(tx, trail) is None and not spans_of(tx, trail):
        for table in ("deliveries", "trail_counts", "trail_topics"):
            tx.run(f"DELETE FROM {table} WHERE trail = ?", (trail,))
        journal.drop_cursor(tx, follower_name(trail))
