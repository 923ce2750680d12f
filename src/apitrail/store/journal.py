"""The journal: the append-only table of events that event history, delivery and console read.

Rows are numbered by `seq` without gaps in the order of their commits. A follower keeps a cursor: the last seq it is
done with. Rows may go when every cursor has passed them and they are older than the retention of event history.
"""

from typing import NamedTuple

from apitrail.store.database import Tx

GATEWAY = 1
MANAGEMENT, DATA, INSIGHT, DATA_INSIGHT = 0, 1, 2, 3
CATEGORIES = {"Management": MANAGEMENT, "Data": DATA, "Insight": INSIGHT}


class JournalRow(NamedTuple):
    """One event. time: eventTime in epoch seconds. event: the record as JSON bytes."""

    seq: int
    account: str
    region: str
    category: int
    time: int
    event: bytes


_COLUMNS = "seq, account, region, category, time, event"


def append(tx: Tx, account: str, region: str, category: int, time: int, event: bytes) -> int:
    """Add an event and return its seq."""
    return tx.insert(
        "INSERT INTO journal (gateway, account, region, category, time, event) VALUES (1, ?, ?, ?, ?, ?)",
        (account, region, category, time, event),
    )


def last_seq(tx: Tx) -> int:
    """Return the seq of the newest event, 0 when there is none."""
    row = tx.one("SELECT max(seq) FROM journal")
    return (row[0] if row else None) or 0


def read_after(tx: Tx, seq: int, limit: int, until: int | None = None) -> list[JournalRow]:
    """Return up to limit events after seq (and not after until), oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (seq, until if until is not None else 2**62, limit),
    )
    return [JournalRow(*row) for row in rows]


def read_before(tx: Tx, seq: int, limit: int) -> list[JournalRow]:
    """Return up to limit events before seq, newest first."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM journal WHERE seq < ? ORDER BY seq DESC LIMIT ?", (seq, limit))
    return [JournalRow(*row) for row in rows]


def read_one(tx: Tx, seq: int) -> JournalRow | None:
    """Return one event by its seq."""
    row = tx.one(f"SELECT {_COLUMNS} FROM journal WHERE seq = ?", (seq,))
    return JournalRow(*row) if row else None


def cursor(tx: Tx, follower: str) -> int:
    """Return how far a follower has come; 0 for one that has not begun."""
    row = tx.one("SELECT seq FROM cursors WHERE follower = ?", (follower,))
    return row[0] if row else 0


def move_cursor(tx: Tx, follower: str, seq: int) -> None:
    """Say that a follower is done with everything up to seq. It never moves back."""
    tx.run(
        "INSERT INTO cursors (follower, seq) VALUES (?, ?)"
        " ON CONFLICT (follower) DO UPDATE SET seq = max(seq, excluded.seq)",
        (follower, seq),
    )


def drop_cursor(tx: Tx, follower: str) -> None:
    """Forget a follower, so that it holds back no row."""
    tx.run("DELETE FROM cursors WHERE follower = ?", (follower,))


def prune(tx: Tx, before: int, limit: int) -> int:
    """Delete up to limit of the oldest rows that are older than before (epoch seconds) and passed by every cursor.

    The newest row stays always, so that no seq is given twice. Returns how many went.
    """
    row = tx.one("SELECT min(seq) FROM cursors")
    passed = (row[0] if row else None) or 0
    return tx.run(
        "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <= ? AND time < ?"
        " AND seq < (SELECT max(seq) FROM journal) ORDER BY seq LIMIT ?)",
        (passed, before, limit),
    )
