"""Messages on their way: one lane per subscription, in which the oldest delivery is tried until it is done.

A message's row stays as long as a delivery needs it.
"""

from typing import NamedTuple

from apitrail.store.database import Tx
from apitrail.store.resources import Doc, decode_doc, encode_doc


class Waiting(NamedTuple):
    """The oldest delivery of a lane. id: of the delivery. attempts: failed ones. message: see envelope.Message."""

    id: int
    subscription: str
    message_row: int
    attempts: int
    message: Doc


def add_message(tx: Tx, message: Doc) -> int:
    """Store a message and return its row's number."""
    return tx.insert("INSERT INTO topic_messages (doc) VALUES (?)", (encode_doc(message),))


def add_delivery(tx: Tx, subscription: str, message_row: int, now: float) -> None:
    """Put a message at the end of a subscription's lane."""
    tx.insert("INSERT INTO topic_deliveries (subscription, message) VALUES (?, ?)", (subscription, message_row))
    tx.run(
        "INSERT INTO topic_lanes (subscription, waiting, next_at) VALUES (?, 1, ?)"
        " ON CONFLICT (subscription) DO UPDATE SET waiting = waiting + 1",
        (subscription, now),
    )


def waiting_count(tx: Tx, subscription: str) -> int:
    """Return how many deliveries wait in a lane."""
    row = tx.one("SELECT waiting FROM topic_lanes WHERE subscription = ?", (subscription,))
    return row[0] if row else 0


def due_lanes(tx: Tx, now: float, limit: int) -> list[str]:
    """Return up to limit subscriptions whose oldest delivery is due, those first that have waited longest."""
    rows = tx.all("SELECT subscription FROM topic_lanes WHERE next_at <= ? ORDER BY next_at LIMIT ?", (now, limit))
    return [row[0] for row in rows]


def next_due(tx: Tx) -> float | None:
    """Return when the next delivery is due (epoch seconds), or None."""
    row = tx.one("SELECT min(next_at) FROM topic_lanes")
    return row[0] if row else None


def oldest(tx: Tx, subscription: str, now: float) -> Waiting | None:
    """Return the oldest delivery of a lane if it is due."""
    row = tx.one(
        "SELECT d.id, d.subscription, d.message, l.attempts, m.doc FROM topic_lanes l"
        " JOIN topic_deliveries d ON d.subscription = l.subscription JOIN topic_messages m ON m.id = d.message"
        " WHERE l.subscription = ? AND l.next_at <= ? ORDER BY d.id LIMIT 1",
        (subscription, now),
    )
    return Waiting(row[0], row[1], row[2], row[3], decode_doc(row[4])) if row else None


def is_waiting(tx: Tx, delivery: Waiting) -> bool:
    """Return whether a delivery is still to be made; the subscription may have gone meanwhile."""
    return tx.one("SELECT 1 FROM topic_deliveries WHERE id = ?", (delivery.id,)) is not None


def done(tx: Tx, delivery: Waiting, next_at: float) -> None:
    """Take a delivery off its lane, made or given up; the next one is due at next_at."""
    tx.run("DELETE FROM topic_deliveries WHERE id = ?", (delivery.id,))
    _drop_unused(tx, delivery.message_row)
    tx.run(
        "UPDATE topic_lanes SET waiting = waiting - 1, attempts = 0, next_at = ? WHERE subscription = ?",
        (next_at, delivery.subscription),
    )
    tx.run("DELETE FROM topic_lanes WHERE subscription = ? AND waiting <= 0", (delivery.subscription,))


def put_off(tx: Tx, delivery: Waiting, next_at: float) -> None:
    """Say that an attempt failed and when the next one is due."""
    tx.run(
        "UPDATE topic_lanes SET attempts = attempts + 1, next_at = ? WHERE subscription = ?",
        (next_at, delivery.subscription),
    )


def drop_lane(tx: Tx, subscription: str) -> None:
    """Forget everything that waits for a subscription."""
    rows = tx.all("SELECT message FROM topic_deliveries WHERE subscription = ?", (subscription,))
    tx.run("DELETE FROM topic_deliveries WHERE subscription = ?", (subscription,))
    tx.run("DELETE FROM topic_lanes WHERE subscription = ?", (subscription,))
    for (message_row,) in rows:
        _drop_unused(tx, message_row)


def _drop_unused(tx: Tx, message_row: int) -> None:
    tx.run(
        "DELETE FROM topic_messages WHERE id = ? AND NOT EXISTS (SELECT 1 FROM topic_deliveries WHERE message = ?)",
        (message_row, message_row),
    )
