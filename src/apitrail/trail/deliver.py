"""The worker that delivers log files: it follows the journal, seals, puts and marks.

A crash anywhere leaves one object in a bucket: the name is fixed before the first put, a put is repeated with that name,
and the mark comes after it. While a bucket is away, everything waits in the journal.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from apitrail.clock import Clock
from apitrail.errors import SinkError
from apitrail.ids import Ids
from apitrail.objects.bucket import Bucket
from apitrail.settings import Delivery
from apitrail.store.database import Database, Tx
from apitrail.telemetry import Metrics
from apitrail.trail.contents import Piece, pieces_of, pieces_together
from apitrail.trail.entrance import Check, lets_in
from apitrail.trail.follow import Follower, Seal
from apitrail.trail.logfile import CONTENT_ENCODING, CONTENT_TYPE, Gzip, compress, render
from apitrail.trail.seal import LogFile, mark, note_failure, seal, waiting_files
from apitrail.trail.trails import key_at

log = logging.getLogger("apitrail.delivery")
FILES_PER_TRAIL = 8
SCAN_S = 1.0
RETRY_S = 0.5
BEHIND_FILES = 20
SMALL_BYTES = 1024 * 1024
TOGETHER_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Packed:
    """A log file ready to be put. sha256: hex, of the content. oldest, newest: epoch seconds of its events."""

    body: bytes
    sha256: str
    oldest: int
    newest: int


class Deliverer:
    """Delivers the log files of all trails. bucket: opens a bucket by name, and for a key of KMS if there is one.

    check: see entrance.
    """

    name = "delivery"

    def __init__(
        self,
        database: Database,
        bucket: Callable[..., Bucket],
        settings: Delivery,
        clock: Clock,
        ids: Ids,
        metrics: Metrics,
        check: Check = lets_in,
    ) -> None:
        self._database = database
        self._check = check
        self._bucket = bucket
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._metrics = metrics
        self.follower = Follower(settings.file_bytes_max)
        self._period: int | None = None
        self._retry: dict[str, tuple[float, float]] = {}

    async def tick(self) -> float | None:
        """Scan, seal what is due, put what is sealed; return when to come again, in seconds."""
        await self._follow()
        now = self._clock.now().timestamp()
        period = int(now // self._settings.period_s)
        if period != self._period:
            await self.seal_all()
            self._period = period
        more = await self._put_waiting()
        if more:
            return 0.0
        boundary = (period + 1) * self._settings.period_s - self._clock.now().timestamp()
        return max(0.0, min(boundary, SCAN_S))

    async def flush(self) -> None:
        """Deliver everything that is in the journal now, as far as the buckets take it."""
        await self._follow()
        await self.seal_all()
        while await self._put_waiting():
            pass

    async def seal_all(self) -> None:
        """Seal everything that has been scanned, whatever its age."""
        await self._seal(self.follower.cut_all())

    async def _follow(self) -> None:
        more = True
        while more:
            seals, more = await self._database.read(self.follower.scan)
            await self._seal(seals)

    async def _seal(self, seals: list[Seal]) -> None:
        if not seals:
            return
        now = self._clock.now()

        def work(tx: Tx) -> None:
            for decision in seals:
                seal(tx, decision, now, self._ids)

        try:
            await self._database.write(work)
        except Exception:
            for decision in seals:
                self.follower.courses.pop(decision.trail, None)
            raise
        self.follower.sealed(seals)

    async def _put_waiting(self) -> bool:
        """Put sealed files, one after another within a trail, trails beside each other; return whether more wait."""
        files = await self._database.read(lambda tx: waiting_files(tx, FILES_PER_TRAIL))
        trails: dict[str, list[LogFile]] = {}
        for file in files:
            trails.setdefault(file.trail, []).append(file)
        method = self._method(len(files) >= BEHIND_FILES)
        due = [waiting for trail, waiting in trails.items() if self._is_due(trail)]
        done: list[int] = []
        for group in groups_of(due):
            ready = await self._together([waiting[0] for waiting in group], method)
            done += await asyncio.gather(*(self._put_trail(waiting, method, ready) for waiting in group))
        return any(count == FILES_PER_TRAIL for count in done)

    async def _together(self, files: list[LogFile], method: Gzip) -> dict[int, Packed]:
        """Return those files packed that are worth reading together, by id."""
        small = [file for file in files if file.byte_count <= SMALL_BYTES]
        if len(small) < 2:
            return {}
        return await self._database.read(lambda tx: pack_together(tx, small, method))

    def _is_due(self, trail: str) -> bool:
        """Return whether a trail does not wait after a failure."""
        due, _ = self._retry.get(trail, (0.0, 0.0))
        return self._clock.monotonic() >= due

    async def _put_trail(self, files: list[LogFile], method: Gzip, ready: dict[int, Packed]) -> int:
        """Put the files of one trail until one fails; return how many were put. ready: files packed already, by id."""
        for count, file in enumerate(files):
            if not await self._put(file, method, ready.pop(file.id, None)):
                return count
        return len(files)

    async def _put(self, file: LogFile, method: Gzip, ready: Packed | None) -> bool:
        try:
            packed, key = await self._database.read(lambda tx: self._prepare(tx, file, method, ready))
            await (self._bucket(file.bucket, key) if key else self._bucket(file.bucket)).put(
                file.key, packed.body, content_type=CONTENT_TYPE, content_encoding=CONTENT_ENCODING
            )
        except SinkError as error:
            await self._failed(file, error)
            return False
        now = self._clock.now()
        await self._database.write(lambda tx: mark(tx, file, now, packed.sha256, packed.oldest, packed.newest))
        self._retry.pop(file.trail, None)
        self._metrics.lag.labels(file.trail).set(max(0.0, now.timestamp() - packed.oldest))
        return True

    def _prepare(self, tx: Tx, file: LogFile, method: Gzip, ready: Packed | None) -> tuple[Packed, str]:
        """Return a log file's bytes and the key of KMS that it is put with, if any. Raises: SinkError when it is refused."""
        self._check(tx, file.trail, file.bucket, file.key)
        return ready or pack(tx, file, method), key_at(tx, file.trail, file.last_seq)

    async def _failed(self, file: LogFile, error: SinkError) -> None:
        _, pause = self._retry.get(file.trail, (0.0, RETRY_S / 2))
        pause = min(self._settings.retry_max_s, pause * 2)
        self._retry[file.trail] = (self._clock.monotonic() + pause, pause)
        self._metrics.failures.labels(file.trail, error.code).inc()
        log.warning("cannot deliver to bucket %s: %s; again in %g s", file.bucket, error, pause)
        now = self._clock.now()
        await self._database.write(lambda tx: note_failure(tx, file, now, error.code))

    def _method(self, behind: bool) -> Gzip:
        if self._settings.gzip == "auto":
            return "isal" if behind else "libdeflate"
        return self._settings.gzip


def groups_of(trails: list[list[LogFile]]) -> list[list[list[LogFile]]]:
    """Return trails with their files in groups whose first files, as far as they are small, are read together."""
    groups: list[list[list[LogFile]]] = []
    byte_count = TOGETHER_BYTES_MAX
    for files in sorted(trails, key=lambda files: files[0].first_seq):
        if byte_count >= TOGETHER_BYTES_MAX:
            groups.append([])
            byte_count = 0
        groups[-1].append(files)
        byte_count += files[0].byte_count if files[0].byte_count <= SMALL_BYTES else 0
    return groups


def pack_together(tx: Tx, files: list[LogFile], method: Gzip) -> dict[int, Packed]:
    """Return the bytes of several sealed log files by their ids, as pack gives them, after one reading of the journal."""
    pieces = pieces_together(tx, files)
    return {file.id: _packed(file, [piece], method) for file, piece in zip(files, pieces, strict=True)}


def pack(tx: Tx, file: LogFile, method: Gzip) -> Packed:
    """Return the bytes of a sealed log file; the same content for the same file, whenever it is made."""
    return _packed(file, pieces_of(tx, file), method)


def _packed(file: LogFile, pieces: Iterable[Piece], method: Gzip) -> Packed:
    seen: list[Piece] = []
    content = render(_noting(pieces, seen))
    count = sum(piece.event_count for piece in seen)
    assert count == file.event_count, f"{file.key}: {count} events where {file.event_count} were sealed"
    oldest, newest = min(piece.oldest for piece in seen), max(piece.newest for piece in seen)
    return Packed(compress(content, method), hashlib.sha256(content).hexdigest(), oldest, newest)


def _noting(pieces: Iterable[Piece], seen: list[Piece]) -> Iterator[bytes]:
    """Yield the content of each piece, and note the rest of it."""
    for piece in pieces:
        yield piece.content
        seen.append(piece._replace(content=b""))
