"""The index of event history: a SQLite file of its own, filled by a follower of the journal.

Each event stands in one clustered tree once per attribute value, as (segment, term, rank, seq), so that "newest first by
this attribute" is one descent and a walk per segment. A segment is a stretch of the journal, small enough that filling it
happens in memory, and is dropped as a whole. A term is a 64-bit hash of account, region, category, key and value, of a
resource's name or type only the last part. Look-up checks the events themselves: a collision, or another resource whose name
ends in the same, costs a row of a page and never shows a wrong event. Everything here can be made again from the journal: the
file may be deleted while the server is down, and is made anew when it does not fit.
"""

import asyncio
import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from threading import Lock, local
from typing import NamedTuple

from apitrail.archive.attributes import (
    Attribute,
    Headline,
    Identity,
    Resource,
    attributes_of,
    call_attributes,
    last_part,
    rank_of,
    read_headline,
    resource_attributes,
)
from apitrail.store import journal
from apitrail.store.database import Database, Tx
from apitrail.store.journal import JournalRow

VERSION = 2
FOLLOWER = "index"
SEGMENT_BITS = 16
SEGMENTS_SEARCHED_MAX = 8
BATCH_ROWS = 250
"""Rows of the journal indexed at a time: few, since the event loop hardly runs meanwhile."""

PRUNED_POSTINGS_MAX = 5000
CURSOR_STEP_ROWS = 1000
BUSY_ROWS = 50
BUSY_PAUSE_S = 0.05
QUIET_PAUSE_S = 0.5
IDLE_PAUSE_S = 1.0
PLACES_CACHED = 64
TERMS_CACHED = 4096
INSERT_SIZES = (500, 50, 5, 1)
ALL_EVENTS: Attribute = ("", "")
INDEXED_CATEGORIES = (journal.MANAGEMENT, journal.INSIGHT)

TABLES = f"""
BEGIN;
DROP TABLE IF EXISTS postings;
DROP TABLE IF EXISTS segments;
DROP TABLE IF EXISTS progress;
CREATE TABLE postings (
  segment INTEGER NOT NULL, term INTEGER NOT NULL, rank INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (segment, term, rank, seq)
) WITHOUT ROWID;
CREATE TABLE segments (segment INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL);
CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, digest BLOB NOT NULL);
INSERT INTO progress VALUES (1, 0, x'');
PRAGMA user_version={VERSION};
COMMIT;
"""


Posting = tuple[int, int, int, int]


class Place(NamedTuple):
    """Whose events are looked at. category: of the journal."""

    account: str
    region: str
    category: int


class Position(NamedTuple):
    """Where an event stands in event history, newest highest. rank: of attributes.rank_of."""

    rank: int
    seq: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of event history: from a rank (inclusive) up to a position (exclusive)."""

    first_rank: int
    before: Position


class IndexView:
    """A snapshot of the index. indexed_seq: every event up to it is here; 0 for an index that is not ready."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection
        self.indexed_seq = _progress(connection)[0] if connection else 0

    def newest(self, terms: Sequence[int], span: Span, limit: int) -> tuple[list[Position], Position | None]:
        """Return up to limit positions that stand under all terms, newest first, and where the search stopped.

        The first term should be the rarest. With several terms the search stops after some segments, but always before
        the position that it began at; then everything at or after the second value has been found.
        """
        found: list[Position] = []
        for number, (segment, newest) in enumerate(self._segments(span)):
            if len(found) == limit and newest < found[-1].rank:
                break
            stopped = Position(newest + 1, 0)
            if len(terms) > 1 and number >= SEGMENTS_SEARCHED_MAX and stopped < span.before:
                return [position for position in found if position >= stopped], stopped
            found = sorted([*found, *self._in_segment(segment, terms, span, limit)], reverse=True)[:limit]
        return found, None

    def _segments(self, span: Span) -> list[tuple[int, int]]:
        """Return (segment, newest rank) of the segments that reach into a span, newest first."""
        if self._connection is None:
            return []
        return self._connection.execute(
            "SELECT segment, newest FROM segments WHERE newest >= ? AND oldest <= ? ORDER BY newest DESC, segment DESC",
            (span.first_rank, span.before.rank),
        ).fetchall()

    def _in_segment(self, segment: int, terms: Sequence[int], span: Span, limit: int) -> Iterator[Position]:
        assert self._connection is not None
        also = (
            " AND EXISTS (SELECT 1 FROM postings q"
            " WHERE q.segment = p.segment AND q.term = ? AND q.rank = p.rank AND q.seq = p.seq)"
        ) * (len(terms) - 1)
        rows = self._connection.execute(
            "SELECT rank, seq FROM postings p WHERE segment = ? AND term = ? AND rank >= ? AND (rank, seq) < (?, ?)"
            f"{also} ORDER BY rank DESC, seq DESC LIMIT ?",
            (segment, terms[0], span.first_rank, *span.before, *terms[1:], limit),
        )
        return map(Position._make, rows)


class EventIndex:
    """The index file. One thread at a time changes it, any number read; close it after the database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _open(path)
        self._lock = Lock()
        self._thread = local()
        self._readers: list[sqlite3.Connection] = []
        self._accepted = False
        self._indexed_seq = _progress(self._writer)[0]

    @property
    def indexed_seq(self) -> int:
        """The last seq of the journal that is indexed."""
        return self._indexed_seq

    def accept(self, row: JournalRow | None, last_seq: int) -> None:
        """Compare the index with the journal, empty it if it was made from another one, and let readers in.

        row: the journal's row at indexed_seq, None when it is gone. last_seq: of the journal.
        """
        with self._lock:
            seq, digest = _progress(self._writer)
            if seq > last_seq or (row is not None and _digest(row) != digest):
                self._writer.executescript(TABLES)
                self._indexed_seq = 0
            self._accepted = True

    def add(self, rows: Sequence[JournalRow]) -> None:
        """Index the rows of the journal that follow the last one, in one transaction."""
        postings: list[Posting] = []
        ranks: dict[int, list[int]] = {}
        for row in rows:
            event = read_headline(row.event) if row.category in INDEXED_CATEGORIES else None
            if event is not None:
                segment, rank = row.seq >> SEGMENT_BITS, rank_of(row.time, event.eventID)
                terms = terms_of_event(Place(row.account, row.region, row.category), event)
                postings += [(segment, term, rank, row.seq) for term in terms]
                ranks.setdefault(segment, []).append(rank)
        postings.sort()
        with self._lock, _transaction(self._writer) as run:
            _insert(run, postings)
            run.executemany(
                "INSERT INTO segments VALUES (?, ?, ?) ON CONFLICT (segment) DO UPDATE"
                " SET oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest)",
                [(segment, min(values), max(values)) for segment, values in ranks.items()],
            )
            run.execute("UPDATE progress SET seq = ?, digest = ?", (rows[-1].seq, _digest(rows[-1])))
        self._indexed_seq = rows[-1].seq

    def prune(self, oldest_seq: int) -> bool:
        """Forget a part of the segments that end before the journal's oldest row; return whether there is more."""
        segment = oldest_seq >> SEGMENT_BITS
        with self._lock, _transaction(self._writer) as run:
            run.execute("DELETE FROM segments WHERE segment < ?", (segment,))
            gone = run.execute(
                "DELETE FROM postings WHERE (segment, term, rank, seq) IN"
                " (SELECT segment, term, rank, seq FROM postings WHERE segment < ? LIMIT ?)",
                (segment, PRUNED_POSTINGS_MAX),
            ).rowcount
        return gone == PRUNED_POSTINGS_MAX

    @contextlib.contextmanager
    def view(self) -> Iterator[IndexView]:
        """Open a snapshot on the calling thread; an empty one while the index is not accepted yet."""
        if not self._accepted:
            yield IndexView(None)
            return
        connection = self._reader()
        connection.execute("BEGIN")
        try:
            yield IndexView(connection)
        finally:
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close every connection; nobody may be reading."""
        with self._lock:
            self._accepted = False
            for connection in (*self._readers, self._writer):
                connection.close()

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = _connect(self._path)
            connection.execute("PRAGMA query_only=1")
            with self._lock:
                self._readers.append(connection)
        return connection


class Indexer:
    """The follower of the journal that fills the index, in batches, off the event loop."""

    name = "index"

    def __init__(self, database: Database, index: EventIndex) -> None:
        self._database = database
        self._index = index
        self._accepted = False
        self._moved_to = 0
        self._pruned_to = 0

    async def tick(self) -> float | None:
        """Index the next rows and forget those that the journal has pruned; return when to come again."""
        if not self._accepted:
            await self._accept()
        seq = self._index.indexed_seq
        rows, oldest_seq = await self._database.read(lambda tx: (journal.read_after(tx, seq, BATCH_ROWS), _oldest(tx)))
        if rows:
            await asyncio.to_thread(self._index.add, rows)
            await self._move_cursor(rows[-1].seq, CURSOR_STEP_ROWS)
        more_to_prune = await self._prune(oldest_seq)
        if more_to_prune or len(rows) == BATCH_ROWS:
            return 0.0
        if len(rows) >= BUSY_ROWS:
            return BUSY_PAUSE_S
        return QUIET_PAUSE_S if rows else IDLE_PAUSE_S

    async def _accept(self) -> None:
        seq = self._index.indexed_seq
        row, last = await self._database.read(lambda tx: (journal.read_one(tx, seq), journal.last_seq(tx)))
        await asyncio.to_thread(self._index.accept, row, last)
        await self._move_cursor(self._index.indexed_seq, 0)
        self._accepted = True

    async def _move_cursor(self, seq: int, step: int) -> None:
        """Let the journal prune what is indexed; not after every batch, since each move is a commit."""
        if seq - self._moved_to >= step:
            await self._database.write(lambda tx: journal.move_cursor(tx, FOLLOWER, seq), durable=False)
            self._moved_to = seq

    async def _prune(self, oldest_seq: int) -> bool:
        if oldest_seq >> SEGMENT_BITS <= self._pruned_to >> SEGMENT_BITS:
            return False
        if await asyncio.to_thread(self._index.prune, oldest_seq):
            return True
        self._pruned_to = oldest_seq
        return False


def terms_of(place: Place, attributes: Iterable[Attribute]) -> list[int]:
    """Return the terms under which events with these attributes stand, in their order."""
    cached, make = _term_makers(place)
    return [(make if key == "EventId" else cached)(key, last_part(key, value)) for key, value in attributes]


def terms_of_event(place: Place, event: Headline) -> set[int]:
    """Return the terms under which an event stands: those of all events, and of its attributes_of."""
    if event.insightDetails is not None:
        return {*terms_of(place, (ALL_EVENTS, *attributes_of(event)))}
    terms = {*_call_terms(place, event.eventName, event.eventSource, event.readOnly, event.userIdentity)}
    terms.add(_term_makers(place)[1]("EventId", event.eventID))
    for item in event.resources or ():
        terms.update(_resource_terms(place, item))
    return terms


@lru_cache(maxsize=TERMS_CACHED)
def _call_terms(
    place: Place, name: str | None, source: str | None, read_only: bool | None, identity: Identity | None
) -> list[int]:
    return terms_of(place, (ALL_EVENTS, *call_attributes(name, source, read_only, identity)))


@lru_cache(maxsize=TERMS_CACHED)
def _resource_terms(place: Place, item: Resource) -> set[int]:
    return set(terms_of(place, resource_attributes(item)))


@lru_cache(maxsize=PLACES_CACHED)
def _term_makers(place: Place) -> tuple[Callable[[str, str], int], Callable[[str, str], int]]:
    """Return the function (key, value) -> term of a place, with a memory for values that come again and without."""
    begun = hashlib.blake2b("\0".join(map(str, place)).encode(), digest_size=8)

    def make(key: str, value: str) -> int:
        term = begun.copy()
        term.update(f"\0{key}\0{value}".encode("utf-8", "replace"))
        return int.from_bytes(term.digest(), "big", signed=True)

    return lru_cache(maxsize=TERMS_CACHED)(make), make


def _insert(connection: sqlite3.Connection, postings: Sequence[Posting]) -> None:
    """Insert postings, many with one statement.

    The interpreter lock is let go for every step of a statement; with a step for each posting, the index and the event
    loop pass it to each other thousands of times a second, which costs more than the index itself.
    """
    start = 0
    for size in INSERT_SIZES:
        sql = f"INSERT OR IGNORE INTO postings VALUES {', '.join(['(?, ?, ?, ?)'] * size)}"
        while len(postings) - start >= size:
            connection.execute(sql, list(chain.from_iterable(postings[start : start + size])))
            start += size


def _digest(row: JournalRow) -> bytes:
    return hashlib.sha256(row.event).digest()


def _progress(connection: sqlite3.Connection) -> tuple[int, bytes]:
    row: tuple[int, bytes] = connection.execute("SELECT seq, digest FROM progress").fetchone()
    return row


def _oldest(tx: Tx) -> int:
    row = tx.one("SELECT min(seq) FROM journal")
    return (row[0] if row else None) or 0


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    """Return the writing connection; a file that is damaged or of another version is made anew."""
    with contextlib.suppress(sqlite3.DatabaseError):
        connection = _connect(path)
        if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            _progress(connection)
            return connection
        connection.close()
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    connection = _connect(path)
    connection.executescript(TABLES)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout=2000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA cache_size=-24000")
    return connection
