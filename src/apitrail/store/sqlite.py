"""The SQLite database: one file, one writing connection, commits shared by all who wait.

Pieces of work run one after another on the event loop inside BEGIN ... COMMIT; only the COMMIT, which waits for the disk,
goes to a thread. Work that arrives meanwhile forms the next batch, so there is no timed window: a lone caller waits for one
sync, and many callers share one. Readers use connections of their own.

A batch runs without savepoints, since in each of them SQLite copies every page before its first change: a third of the cost
of a call. When a piece of work has changed something that must be taken back, which is rare, the whole batch is rolled back
and runs again, each piece in a savepoint of its own.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from apitrail.errors import JournalUnavailable
from apitrail.store.database import Row, Seen, Work

T = TypeVar("T")
BATCH_WORKS_MAX = 256
BATCH_S_MAX = 0.03
"""How long the works of a batch may run; the others are left for the next one, so that the event loop can do something else."""

REMEMBERED_MAX = 4096
"""Documents that are known from one piece of work to the next."""

RETRY_S = 0.05
READERS = 2
DISK_CODES = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    )
)
log = logging.getLogger("apitrail.store")


class Unguarded(BaseException):
    """Work that has no savepoint must be taken back. No error that work itself may catch."""


class SqliteTx:
    """A transaction on one connection.

    Documents that work has seen are known to the next one as well, as long as nothing is rolled back and nobody else writes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._is_changed = self._is_guarded = False
        self.seen: dict[tuple[str, str], Seen] = {}

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Run a statement and return its rows."""
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """Run a statement and return its first row, or None."""
        row: Row | None = self._execute(sql, params).fetchone()
        return row

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement that changes something and return how many rows it changed."""
        self._is_changed = True
        return self._execute(sql, params).rowcount

    def insert(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run an INSERT and return the new row's number."""
        self._is_changed = True
        number = self._execute(sql, params).lastrowid
        assert number is not None
        return number

    def undo(self) -> None:
        """Take back what this piece of work has changed so far. Raises: Unguarded."""
        if not self._is_changed:
            return
        if not self._is_guarded:
            raise Unguarded
        self._execute("ROLLBACK TO work")
        self.seen.clear()
        self._is_changed = False

    def begin_work(self, *, guarded: bool) -> None:
        """Begin a piece of work. guarded: it can be taken back alone."""
        self._is_changed, self._is_guarded = False, guarded
        if guarded:
            self._execute("SAVEPOINT work")

    def end_work(self) -> None:
        """Keep what the piece of work has changed."""
        if self._is_guarded:
            self._execute("RELEASE work")


@dataclass(slots=True)
class _Waiting:
    """A piece of work on its way to a commit. deadline: by the event loop's clock."""

    work: Work[Any]
    answer: asyncio.Future[Any]
    deadline: float
    durable: bool
    result: Any = None
    error: Exception | None = None


class SqliteDatabase:
    """The state and the journal in one SQLite file.

    path: the file, made when it is missing. wait_max_s: how long a write may wait for a disk that refuses.
    lost: records of non-durable writes that could not be committed.
    """

    def __init__(self, path: Path, *, wait_max_s: float = 5.0) -> None:
        self.path = path
        self.lost = 0
        self._wait_max_s = wait_max_s
        self._problem = ""
        self._writer = _connect(path)
        migrate(self._writer)
        self._file_id = _file_id(path)
        self._tx = SqliteTx(self._writer)
        self._others_version = 0
        self._pending: deque[_Waiting] = deque()
        self._batch: asyncio.Task[None] | None = None
        self._commits = ThreadPoolExecutor(1, "journal-commit")
        self._reads = ThreadPoolExecutor(READERS, "store-read")
        # Opened now: a path whose file was removed later would be made anew, and empty, by opening it.
        self._readers = [_connect(path, read_only=True) for _ in range(READERS + 1)]
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for reader in self._readers:
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            self._idle.put(reader)

    async def write(self, work: Work[T], *, durable: bool = True) -> T:
        """Run work and return its result after the commit.

        Raises: JournalUnavailable; then nothing of it has happened. Whatever the work itself raises.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(work, loop.create_future(), loop.time() + self._wait_max_s, durable)
        self._pending.append(waiting)
        if self._batch is None:
            self._batch = loop.create_task(self._drain())
        result: T = await waiting.answer
        return result

    async def read(self, work: Work[T]) -> T:
        """Run work on a snapshot of what is committed, on a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reads, self._read, work)

    def read_now(self, work: Work[T]) -> T:
        """Run work on a snapshot on the calling thread, which is not the event loop's (or before it runs)."""
        return self._read(work)

    def write_now(self, work: Work[T]) -> T:
        """Run work and commit it on the calling thread, before the event loop runs or in commands."""
        self._begin()
        try:
            self._tx.begin_work(guarded=True)
            result = work(self._tx)
            self._tx.end_work()
        except BaseException:
            self._roll_back()
            raise
        self._writer.execute("COMMIT")
        return result

    def size(self) -> int:
        """Return how many bytes the file and its write-ahead log have."""
        names = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in names if path.exists())

    def problem(self) -> str:
        """Return why nothing can be written now, or an empty text."""
        return self._problem or self._missing()

    def trouble(self, error: Exception) -> bool:
        """Return whether an error is the disk's (full, unreadable, read-only, locked, damaged), not the work's own."""
        return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in DISK_CODES

    async def close(self) -> None:
        """Finish what waits, then close every connection."""
        while self._batch is not None:
            await self._batch
        self._commits.shutdown()
        self._reads.shutdown()
        for connection in (*self._readers, self._writer):
            connection.close()

    async def _drain(self) -> None:
        """Commit batch after batch until nothing waits."""
        try:
            while self._pending:
                batch = [self._pending.popleft() for _ in range(min(len(self._pending), BATCH_WORKS_MAX))]
                if not await self._commit(batch):
                    await asyncio.sleep(RETRY_S)
        finally:
            self._batch = None

    async def _commit(self, batch: list[_Waiting]) -> bool:
        """Run a batch and commit it; put back what may be tried again. Return whether the disk took it."""
        loop = asyncio.get_running_loop()
        try:
            if missing := self._missing():
                raise sqlite3.OperationalError(missing)
            self._begin()
            try:
                self._apply(batch, loop.time, guarded=False)
            except Unguarded:
                self._roll_back()
                self._begin()
                self._apply(batch, loop.time, guarded=True)
            await loop.run_in_executor(self._commits, self._writer.execute, "COMMIT")
        except sqlite3.Error as error:
            self._refuse(batch, str(error), loop.time())
            return False
        self._problem = ""
        for waiting in batch:
            _settle(waiting)
        return True

    def _begin(self) -> None:
        """Begin a transaction; what is known of documents is forgotten when somebody else has written, or it grows too much."""
        self._writer.execute("BEGIN IMMEDIATE")
        (version,) = self._writer.execute("PRAGMA data_version").fetchone()
        if version != self._others_version or len(self._tx.seen) > REMEMBERED_MAX:
            self._tx.seen.clear()
            self._others_version = version

    def _roll_back(self) -> None:
        self._tx.seen.clear()
        self._writer.execute("ROLLBACK")

    def _apply(self, batch: list[_Waiting], elapsed: Callable[[], float], *, guarded: bool) -> None:
        """Run the pieces of a batch, and put back those for which there is no time.

        A database error is the whole batch's, any other its own. Raises: Unguarded.
        """
        ends = elapsed() + BATCH_S_MAX
        for number, waiting in enumerate(batch, 1):
            self._apply_one(waiting, guarded=guarded)
            if elapsed() > ends:
                self._pending.extendleft(reversed(batch[number:]))
                del batch[number:]
                break
        for waiting in batch:
            if not waiting.durable:
                _settle(waiting)

    def _apply_one(self, waiting: _Waiting, *, guarded: bool) -> None:
        self._tx.begin_work(guarded=guarded)
        waiting.result, waiting.error = None, None
        try:
            waiting.result = waiting.work(self._tx)
        except Exception as error:
            if self.trouble(error):
                raise
            waiting.error = error
            self._tx.undo()
        self._tx.end_work()

    def _refuse(self, batch: list[_Waiting], reason: str, now: float) -> None:
        """Roll back; queue again whatever still has time, and answer the rest."""
        self._problem = f"the journal {self.path.name} cannot be written: {reason}"
        self._tx.seen.clear()
        if self._writer.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._roll_back()
        again = [waiting for waiting in batch if waiting.deadline > now and not waiting.answer.cancelled()]
        self._pending.extendleft(reversed(again))
        for waiting in batch:
            if waiting.deadline <= now:
                self._give_up(waiting)

    def _give_up(self, waiting: _Waiting) -> None:
        if not waiting.answer.done():
            waiting.answer.set_exception(JournalUnavailable(self._problem))
        elif not waiting.durable:
            self.lost += 1

    def _missing(self) -> str:
        """Return what is wrong when the file under our path is no longer the one we opened."""
        return "" if _file_id(self.path) == self._file_id else f"{self.path} was removed or replaced"

    def _read(self, work: Work[T]) -> T:
        connection = self._idle.get()
        try:
            connection.execute("BEGIN")
            try:
                return work(SqliteTx(connection))
            finally:
                connection.execute("ROLLBACK")
        finally:
            self._idle.put(connection)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest step; each step is one transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    steps = sorted(item.name for item in files("apitrail.store.migrations").iterdir() if item.name.endswith(".sql"))
    for number, name in enumerate(steps, 1):
        if number > version:
            script = files("apitrail.store.migrations").joinpath(name).read_text()
            connection.executescript(f"BEGIN;{script};PRAGMA user_version={number};COMMIT;")


def _settle(waiting: _Waiting) -> None:
    if waiting.answer.done():
        return
    if waiting.error is None:
        waiting.answer.set_result(waiting.result)
    else:
        waiting.answer.set_exception(waiting.error)


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute("PRAGMA busy_timeout=2000")
    connection.execute("PRAGMA temp_store=MEMORY")  # else what a savepoint keeps goes to a file
    if read_only:
        connection.execute("PRAGMA query_only=1")
        return connection
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=1000")  # more pages at a time keep commits waiting for 50 ms
    connection.execute("PRAGMA cache_size=-16000")
    return connection


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
