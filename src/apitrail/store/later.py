"""What is due later (timers) and what must happen outside after a commit (effects).

Both are rows written in the transaction of the change that asks for them, so they happen if and only if it does.
A timer is one more transaction at its time. An effect is repeated until it has succeeded, so it must be idempotent.
"""

from typing import NamedTuple

from apitrail.store.database import Tx
from apitrail.store.resources import Doc, decode_doc, encode_doc


class Timer(NamedTuple):
    """due: epoch seconds. kind: the name of the function that it calls."""

    id: int
    due: float
    kind: str
    account: str
    region: str
    doc: Doc


class Effect(NamedTuple):
    """attempts: how often it has failed so far."""

    id: int
    kind: str
    account: str
    region: str
    doc: Doc
    attempts: int


def add_timer(tx: Tx, due: float, kind: str, account: str, region: str, doc: Doc) -> int:
    """Note that something is due at a time (epoch seconds); return its number."""
    sql = "INSERT INTO timers (due, kind, account, region, doc) VALUES (?, ?, ?, ?, ?)"
    return tx.insert(sql, (due, kind, account, region, encode_doc(doc)))


def due_timers(tx: Tx, now: float, limit: int) -> list[Timer]:
    """Return up to limit timers that are due, in the order of their times."""
    rows = tx.all(
        "SELECT id, due, kind, account, region, doc FROM timers WHERE due <= ? ORDER BY due, id LIMIT ?",
        (now, limit),
    )
    return [_timer(*row) for row in rows]


def next_timer(tx: Tx) -> float | None:
    """Return when the next timer is due, or None."""
    row = tx.one("SELECT min(due) FROM timers")
    return row[0] if row else None


def drop_timer(tx: Tx, id: int) -> bool:
    """Remove a timer; return whether it was still there."""
    return tx.run("DELETE FROM timers WHERE id = ?", (id,)) == 1


def put_off_timer(tx: Tx, id: int, due: float) -> None:
    """Give a timer another time."""
    tx.run("UPDATE timers SET due = ? WHERE id = ?", (due, id))


def add_effect(tx: Tx, now: float, kind: str, account: str, region: str, doc: Doc) -> int:
    """Note that something must happen outside; return its number."""
    sql = "INSERT INTO effects (kind, account, region, doc, next_at) VALUES (?, ?, ?, ?, ?)"
    return tx.insert(sql, (kind, account, region, encode_doc(doc), now))


def due_effects(tx: Tx, now: float, limit: int) -> list[Effect]:
    """Return up to limit effects whose time has come, oldest first."""
    rows = tx.all(
        "SELECT id, kind, account, region, doc, attempts FROM effects WHERE next_at <= ? ORDER BY next_at, id LIMIT ?",
        (now, limit),
    )
    return [_effect(*row) for row in rows]


def read_effect(tx: Tx, id: int) -> Effect | None:
    """Return an effect that has not happened yet, or None."""
    row = tx.one("SELECT id, kind, account, region, doc, attempts FROM effects WHERE id = ?", (id,))
    return _effect(*row) if row else None


def drop_effect(tx: Tx, id: int) -> None:
    """Say that an effect has happened."""
    tx.run("DELETE FROM effects WHERE id = ?", (id,))


def put_off_effect(tx: Tx, id: int, next_at: float, error: str) -> None:
    """Say that an effect failed and when to try it again."""
    tx.run(
        "UPDATE effects SET attempts = attempts + 1, next_at = ?, error = ? WHERE id = ?",
        (next_at, error[:500], id),
    )


def _timer(id: int, due: float, kind: str, account: str, region: str, doc: bytes) -> Timer:
    return Timer(id, due, kind, account, region, decode_doc(doc))


def _effect(id: int, kind: str, account: str, region: str, doc: bytes, attempts: int) -> Effect:
    return Effect(id, kind, account, region, decode_doc(doc), attempts)
