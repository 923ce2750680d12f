"""The table of GameLift's events about placements and matches: what is still to be published, and a stream of the rest.

It is apart from the journal, since these are no records of calls. Rows are kept for a while after they are published.
"""

from collections.abc import Sequence
from typing import NamedTuple

from apitrail.store.database import Tx


class NewEvent(NamedTuple):
    """An event to be kept. time: epoch seconds. resource: ARN. topic: to publish it to, or empty. bus: EventBridge as well."""

    account: str
    region: str
    time: int
    resource: str
    topic: str
    bus: bool
    event: bytes


class GameEvent(NamedTuple):
    """A kept event. seq: its place in the order."""

    seq: int
    account: str
    region: str
    time: int
    resource: str
    event: bytes


_COLUMNS = "seq, account, region, time, resource, event"


def add_event(tx: Tx, event: NewEvent) -> int:
    """Add an event and return its seq."""
    sql = "INSERT INTO game_events (account, region, time, resource, topic, bus, event) VALUES (?, ?, ?, ?, ?, ?, ?)"
    return tx.insert(sql, event)


def last_event(tx: Tx) -> int:
    """Return the seq of the newest event, 0 when there is none."""
    row = tx.one("SELECT max(seq) FROM game_events")
    return (row[0] if row else None) or 0


def events_after(tx: Tx, seq: int, limit: int) -> list[GameEvent]:
    """Return up to limit events after seq, oldest first."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM game_events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [GameEvent(*row) for row in rows]


def events_before(tx: Tx, seq: int, limit: int) -> list[GameEvent]:
    """Return up to limit events before seq, newest first."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM game_events WHERE seq < ? ORDER BY seq DESC LIMIT ?", (seq, limit))
    return [GameEvent(*row) for row in rows]


def topics_waiting(tx: Tx, limit: int) -> list[str]:
    """Return topics that something waits for."""
    return [topic for (topic,) in tx.all("SELECT DISTINCT topic FROM game_events WHERE topic <> '' LIMIT ?", (limit,))]


def events_for_topic(tx: Tx, topic: str, limit: int) -> list[GameEvent]:
    """Return what waits for a topic, oldest first, of one resource at a time."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM game_events WHERE topic = ? AND topic <> '' ORDER BY seq LIMIT ?", (topic, limit)
    )
    found = [GameEvent(*row) for row in rows]
    other = next((place for place, event in enumerate(found) if event.resource != found[0].resource), len(found))
    return found[:other]


def events_for_bus(tx: Tx, limit: int) -> list[GameEvent]:
    """Return what waits for EventBridge, oldest first."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM game_events WHERE bus = 1 ORDER BY seq LIMIT ?", (limit,))
    return [GameEvent(*row) for row in rows]


def published(tx: Tx, events: Sequence[GameEvent]) -> None:
    """Note that events are in their topic, or never will be."""
    for event in events:
        tx.run("UPDATE game_events SET topic = '' WHERE seq = ?", (event.seq,))


def sent(tx: Tx, events: Sequence[GameEvent]) -> None:
    """Note that EventBridge has events."""
    for event in events:
        tx.run("UPDATE game_events SET bus = 0 WHERE seq = ?", (event.seq,))


def prune_events(tx: Tx, before: int, limit: int) -> int:
    """Delete up to limit of the oldest events that are older than before (epoch seconds); return how many went."""
    return tx.run(
        "DELETE FROM game_events WHERE seq IN (SELECT seq FROM game_events WHERE time < ? ORDER BY seq LIMIT ?)",
        (before, limit),
    )
