"""The worker that writes digest files: per trail, account and region it seals a window, puts the file, and marks it.

Sealing fixes a digest's name, window, content and signature in one transaction with the log files that it lists, so each log file
is in exactly one digest and a put may be repeated with the same bytes. Windows are sealed on time while a bucket is away and
put in their order afterwards. A log file whose mark came after its window was sealed goes into a backfill digest.
What happens when clocks jump: docs/design/decisions/0006.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from apitrail.clock import Clock
from apitrail.errors import SettingsError, SinkError
from apitrail.objects.bucket import Bucket
from apitrail.settings import Digest as DigestSettings
from apitrail.store.database import Database, Tx
from apitrail.telemetry import Metrics
from apitrail.trail import chains
from apitrail.trail.chains import Chain, Unlisted
from apitrail.trail.digest import (
    Previous,
    Window,
    digest_key,
    generated_text,
    metadata,
    render_digest,
    string_to_sign,
    utc_text,
)
from apitrail.trail.entrance import Check, lets_in
from apitrail.trail.keys import KeyRing, SigningKey
from apitrail.trail.logfile import CONTENT_ENCODING, CONTENT_TYPE, compress
from apitrail.trail.trails import find_trail

log = logging.getLogger("apitrail.digests")
SCAN_S = 1.0
RETRY_S = 0.5
GRACE_MAX_S = 5.0
LISTED_MAX = 10_000
CHAINS_PER_TICK = 100
PUTS_PER_TRAIL = 8
CATCH_UP_WINDOWS = 100
NO_KEY = "SigningKeyUnavailable"


class Waiting(NamedTuple):
    """A sealed digest that is not delivered yet."""

    id: int
    trail: str
    region: str
    bucket: str
    key: str
    signature: str
    generated: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A digest that is worked out but not sealed. files: ids of the log files it lists. generated: of backfill digests."""

    bucket: str
    key: str
    window: Window
    content: bytes
    previous: Previous | None
    files: list[int]
    generated: str = ""

    @property
    def sha256(self) -> str:
        """Hex hash of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def sign(self, key: SigningKey) -> str:
        """Return the signature in hex."""
        before = self.previous.signature if self.previous else None
        return key.sign(string_to_sign(utc_text(self.window.end), self.bucket, self.key, self.sha256, before))


class Digester:
    """Writes the digest files of all trails. bucket: opens a bucket by name. check: see entrance."""

    name = "digests"

    def __init__(
        self,
        database: Database,
        bucket: Callable[[str], Bucket],
        keys: KeyRing,
        settings: DigestSettings,
        retry_max_s: float,
        clock: Clock,
        metrics: Metrics,
        check: Check = lets_in,
    ) -> None:
        self._database = database
        self._check = check
        self._bucket = bucket
        self._keys = keys
        self._period_s = settings.period_s
        self._grace_s = min(GRACE_MAX_S, settings.period_s / 10)
        self._retry_max_s = retry_max_s
        self._clock = clock
        self._metrics = metrics
        self._retry: dict[str, tuple[float, float]] = {}

    async def tick(self) -> float | None:
        """Begin chains, seal what is due, put what is sealed; return when to come again, in seconds."""
        await self._begin_chains()
        sealed = await self._seal_due()
        if await self._put_waiting() or sealed:
            return 0.0
        following = await self._database.read(chains.next_due)
        if following is None:
            return SCAN_S
        pause = following + self._period_s + self._grace_s - self._clock.now().timestamp()
        return max(0.01, min(SCAN_S, pause))

    async def _begin_chains(self) -> None:
        """Begin the chains of regions that have their first log file; see that every chain's region has a key."""
        missing = await self._database.read(chains.missing_chains)
        if missing:
            await self._database.write(lambda tx: chains.open_chains(tx, missing))
        now = int(self._clock.now().timestamp())
        for chain in await self._database.read(_without_key):
            await self._key(chain, now)

    async def _seal_due(self) -> bool:
        """Seal the next window of every chain that is due; return whether anything was sealed or moved."""
        now = self._clock.now().timestamp()
        due_before, turned_after = now - self._grace_s - self._period_s, now + self._period_s
        due = await self._database.read(lambda tx: chains.due_chains(tx, due_before, turned_after, CHAINS_PER_TICK))
        done = [await self._seal(chain, self._clock.now()) for chain in due]
        return any(done)

    async def _seal(self, chain: Chain, now: datetime) -> bool:
        if chain.end_seq is None and chain.next_start > now.timestamp() + self._period_s:
            log.warning("the clock was set back; the digests of %s in %s go on from now", chain.trail, chain.region)
            await self._database.write(lambda tx: chains.move_window(tx, chain, int(now.timestamp())))
            return True
        key = await self._key(chain, chain.next_start)
        if key is None:
            return False
        drafts = await self._database.read(lambda tx: self._draft(tx, chain, key.fingerprint, now))
        signatures = await asyncio.to_thread(lambda: [draft.sign(key) for draft in drafts])
        return await self._database.write(lambda tx: seal(tx, chain, drafts, signatures))

    async def _key(self, chain: Chain, covers: int) -> SigningKey | None:
        """Return the region's key, or None after noting why there is none."""
        due, _ = self._retry.get(chain.region, (0.0, 0.0))
        if self._clock.monotonic() < due:
            return None
        try:
            return await self._keys.signing_key(chain.region, covers)
        except (SettingsError, OSError) as error:
            pause = self._put_off(chain.region)
            log.error("cannot sign the digests of %s: %s; again in %g s", chain.region, error, pause)
            at = self._clock.now().timestamp()
            await self._database.write(lambda tx: note_failure(tx, chain.trail, chain.region, at, NO_KEY))
            return None

    def _draft(self, tx: Tx, chain: Chain, fingerprint: str, now: datetime) -> list[Draft]:
        """Return the digest of a chain's next window, and before it the backfill digest if one is needed."""
        files = chains.unlisted_files(tx, chain, LISTED_MAX)
        at = now.timestamp()
        if chain.end_seq is None:
            window = next_window(chain.next_start, at - self._grace_s, self._period_s)
            own, late = share(files, window, at, chain.last is not None)
        else:
            window, own, late = last_window(chain.next_start, at, chains.restart_of(tx, chain)), files, []
        drafts = []
        if late:
            missed = Window(min(int(file.delivered_at) for file in late), window.start)
            drafts.append(_draft(tx, chain, missed, late, fingerprint, generated_text(now)))
        drafts.append(_draft(tx, chain, window, own, fingerprint))
        return drafts

    async def _put_waiting(self) -> bool:
        """Put sealed digests, in order within a trail, trails beside each other; return whether more wait."""
        waiting = await self._database.read(waiting_digests)
        trails: dict[str, list[Waiting]] = {}
        for digest in waiting:
            trails.setdefault(digest.trail, []).append(digest)
        done = await asyncio.gather(*(self._put_trail(digests) for digests in trails.values()))
        return any(count == PUTS_PER_TRAIL for count in done)

    async def _put_trail(self, digests: list[Waiting]) -> int:
        due, _ = self._retry.get(digests[0].trail, (0.0, 0.0))
        if self._clock.monotonic() < due:
            return 0
        for count, digest in enumerate(digests):
            if not await self._put(digest):
                return count
        return len(digests)

    async def _put(self, digest: Waiting) -> bool:
        try:
            await self._database.read(lambda tx: self._check(tx, digest.trail, digest.bucket, digest.key))
            await self._bucket(digest.bucket).put(
                digest.key,
                compress(digest.content, "libdeflate"),
                content_type=CONTENT_TYPE,
                content_encoding=CONTENT_ENCODING,
                metadata=metadata(digest.signature, digest.generated),
            )
        except SinkError as error:
            await self._failed(digest, error)
            return False
        at = self._clock.now().timestamp()
        await self._database.write(lambda tx: mark(tx, digest, at))
        self._retry.pop(digest.trail, None)
        return True

    async def _failed(self, digest: Waiting, error: SinkError) -> None:
        pause = self._put_off(digest.trail)
        self._metrics.failures.labels(digest.trail, error.code).inc()
        log.warning("cannot deliver a digest to bucket %s: %s; again in %g s", digest.bucket, error, pause)
        at = self._clock.now().timestamp()
        await self._database.write(lambda tx: note_failure(tx, digest.trail, digest.region, at, error.code))

    def _put_off(self, name: str) -> float:
        """Let a trail or region wait, twice as long as the last time; return how long."""
        _, pause = self._retry.get(name, (0.0, RETRY_S / 2))
        pause = min(self._retry_max_s, pause * 2)
        self._retry[name] = (self._clock.monotonic() + pause, pause)
        return pause


def next_window(start: int, due_before: float, period_s: int) -> Window:
    """Return the window that begins at start: one period, or several in one when far more are behind than a server makes up.

    due_before: a window that ends then or earlier may be sealed; at least one does.
    """
    behind = int((due_before - start) // period_s)
    return Window(start, start + period_s * max(1, behind - CATCH_UP_WINDOWS))


def last_window(start: int, now: float, restart: int | None) -> Window:
    """Return the window of a final digest: up to now, or to when logging began again. It lasts at least a second."""
    end = int(now) + 1
    return Window(start, max(start + 1, end if restart is None else min(end, restart)))


def share(
    files: Sequence[Unlisted], window: Window, now: float, has_previous: bool
) -> tuple[list[Unlisted], list[Unlisted]]:
    """Return the log files that a window lists, and those that an earlier window missed.

    A mark may be committed after its window was sealed, or carry a time from before the clock was set; one from the future
    belongs here, since its own window may never come. Without a digest before, nothing was missed.
    """
    late = [file for file in files if file.delivered_at < window.start] if has_previous else []
    missed = {file.id for file in late}
    here = [file for file in files if file.delivered_at < window.end or file.delivered_at > now]
    return [file for file in here if file.id not in missed], late


def _draft(
    tx: Tx, chain: Chain, window: Window, files: Sequence[Unlisted], fingerprint: str, generated: str = ""
) -> Draft:
    """Return a digest with a name that is not taken: a clock that was set back may come to the same end twice."""
    backfill = bool(generated)
    end = window.end
    while tx.one("SELECT 1 FROM digests WHERE bucket = ? AND key = ?", (chain.bucket, _key(chain, end, backfill))):
        end += 1
    window, key = Window(window.start, end), _key(chain, end, backfill)
    previous = chains.previous_of(tx, chain.last_backfill if backfill else chain.last)
    listed = [file.file for file in files]
    content = render_digest(chain.account, window, chain.bucket, key, fingerprint, previous, listed)
    return Draft(chain.bucket, key, window, content, previous, [file.id for file in files], generated)


def _key(chain: Chain, end: int, backfill: bool) -> str:
    return digest_key(chain.series, end, chain.prefix, is_backfill=backfill, organization=chain.organization)


def seal(tx: Tx, chain: Chain, drafts: Sequence[Draft], signatures: Sequence[str]) -> bool:
    """Write digests down with the log files they list and move the chain; False when the chain has changed meanwhile."""
    if chains.read_chain(tx, chain.id) != chain:
        return False
    last: int | None = None
    backfill: int | None = None
    for draft, signature in zip(drafts, signatures, strict=True):
        number = _insert(tx, chain, draft, signature)
        last, backfill = (last, number) if draft.generated else (number, backfill)
        tx.run(
            "UPDATE log_files SET digest = ? WHERE id IN (SELECT value FROM json_each(?))",
            (number, json.dumps(draft.files)),
        )
    newest = drafts[-1]
    chains.advance(tx, chain, newest.window.end, last, backfill)
    if chain.end_seq is not None and len(newest.files) < LISTED_MAX:
        chains.finish(tx, chain)
    return True


def _insert(tx: Tx, chain: Chain, draft: Draft, signature: str) -> int:
    return tx.insert(
        "INSERT INTO digests (trail, region, bucket, key, start_at, end_at, sha256, signature, generated, content)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            chain.trail,
            chain.region,
            draft.bucket,
            draft.key,
            draft.window.start,
            draft.window.end,
            draft.sha256,
            signature,
            draft.generated,
            draft.content,
        ),
    )


def waiting_digests(tx: Tx) -> list[Waiting]:
    """Return sealed digests that are not delivered yet, a few per trail, oldest first."""
    rows = tx.all(
        "SELECT id, trail, region, bucket, key, signature, generated, content FROM (SELECT *, row_number()"
        " OVER (PARTITION BY trail ORDER BY id) AS place FROM digests WHERE state = 0) WHERE place <= ? ORDER BY id",
        (PUTS_PER_TRAIL,),
    )
    return [Waiting(*row) for row in rows]


def mark(tx: Tx, digest: Waiting, at: float) -> None:
    """Say that a digest is in its bucket; its content is not needed any more."""
    tx.run("UPDATE digests SET state = 1, delivered_at = ?, content = NULL WHERE id = ?", (at, digest.id))
    tx.run(
        "INSERT INTO digest_deliveries (trail, region, success_at, attempt_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (trail, region) DO UPDATE SET success_at = excluded.success_at, attempt_at = excluded.attempt_at,"
        " error = ''",
        (digest.trail, digest.region, at, at),
    )
    _tidy(tx, digest.trail)


def note_failure(tx: Tx, trail: str, region: str, at: float, code: str) -> None:
    """Say that a digest could not be signed or put. code: the store's error code, empty for a time-out."""
    tx.run(
        "INSERT INTO digest_deliveries (trail, region, attempt_at, error) VALUES (?, ?, ?, ?) ON CONFLICT (trail, region)"
        " DO UPDATE SET attempt_at = excluded.attempt_at, error = excluded.error",
        (trail, region, at, code),
    )


def _tidy(tx: Tx, trail: str) -> None:
    """Forget the status of a deleted trail once its last digest is delivered."""
    waits = (
        tx.one("SELECT 1 FROM digests WHERE trail = ? AND state = 0", (trail,)) is not None
        or tx.one("SELECT 1 FROM validations WHERE trail = ?", (trail,)) is not None
    )
    if not waits and find_trail(tx, trail) is None:
        tx.run("DELETE FROM digest_deliveries WHERE trail = ?", (trail,))


def _without_key(tx: Tx) -> list[Chain]:
    """Return one chain for each region that has no signing key yet, so that ListPublicKeys has one from the start."""
    rows = tx.all(
        f"SELECT {chains.COLUMNS} FROM {chains.JOINED} WHERE NOT EXISTS (SELECT 1 FROM digest_keys k"
        " WHERE k.region = c.region AND k.retired = 0) GROUP BY c.region LIMIT 50"
    )
    return [Chain(*row) for row in rows]
