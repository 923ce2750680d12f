"""Rows of log file validation: the stretches in which a trail's log files are proved, and their chains of digests.

A stretch (`validations`) begins and ends with an event, so which log files belong to it does not depend on clocks. It has a
chain per account and region of the log files.
"""

from datetime import datetime
from typing import Any, NamedTuple

from apitrail.arn import parse_arn
from apitrail.store.database import Tx
from apitrail.trail.digest import Listed, Previous, Series
from apitrail.trail.trails import follower_name

FOREVER = 2**62
NEVER_LISTED = 0


class Chain(NamedTuple):
    """A chain with what its stretch says. end_seq: last event of the stretch, None while it goes on.

    next_start: where the next window begins, epoch seconds. last, last_backfill: ids of digests.
    organization: the id that stands in the keys of an organization's trail, or empty.
    """

    id: int
    next_start: int
    last: int | None
    last_backfill: int | None
    account: str
    region: str
    validation: int
    trail: str
    bucket: str
    prefix: str
    after_seq: int
    end_seq: int | None
    organization: str

    @property
    def series(self) -> Series:
        """What its digests' names have in common."""
        arn = parse_arn(self.trail)
        assert arn is not None
        return Series(self.account, self.region, arn.resource.removeprefix("trail/"), arn.region)


COLUMNS = (
    "c.id, c.next_start, c.last, c.last_backfill, c.account, c.region, v.id, v.trail, v.bucket, v.prefix, v.after_seq,"
    " v.end_seq, v.organization"
)
JOINED = "digest_chains c JOIN validations v ON v.id = c.validation"


def begin_validation(tx: Tx, trail: dict[str, Any], account: str, now: datetime) -> None:
    """Let the log files of a trail be proved from now on; files that are delivered already are never listed.

    The chain of the home region begins at once, others with the first log file of their account and region.
    """
    arn = trail["TrailARN"]
    tx.run(
        "UPDATE log_files SET digest = ? WHERE trail = ? AND digest IS NULL AND state = 1 AND first_seq > ?",
        (NEVER_LISTED, arn, _last_ended(tx, arn)),
    )
    started = int(now.timestamp())
    after = max(_last_ended(tx, arn), 0)
    number = tx.insert(
        "INSERT INTO validations (trail, account, bucket, prefix, organization, started_at, after_seq)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (arn, account, *_destination(trail), started, after),
    )
    _add_chain(tx, number, account, trail["HomeRegion"], started)


def end_validation(tx: Tx, arn: str, last_seq: int) -> None:
    """Let a trail's proof end with an event; a final digest follows once everything up to it is delivered."""
    tx.run("UPDATE validations SET end_seq = ? WHERE trail = ? AND end_seq IS NULL", (last_seq, arn))


def move_validation(tx: Tx, trail: dict[str, Any]) -> None:
    """Send further digests where the trail delivers now; the chain goes on from the old place."""
    tx.run(
        "UPDATE validations SET bucket = ?, prefix = ?, organization = ? WHERE trail = ? AND end_seq IS NULL",
        (*_destination(trail), trail["TrailARN"]),
    )


def _destination(trail: dict[str, Any]) -> tuple[str, str, str]:
    """Return bucket, prefix and organization of a trail's digest files."""
    return trail["S3BucketName"], trail.get("S3KeyPrefix", ""), trail.get("_Organization", "")


def is_validated(tx: Tx, arn: str) -> bool:
    """Return whether there is a stretch of a trail that goes on."""
    return tx.one("SELECT 1 FROM validations WHERE trail = ? AND end_seq IS NULL", (arn,)) is not None


def _last_ended(tx: Tx, arn: str) -> int:
    """Return the last event of the trail's stretches that have ended but wait for their final digests, -1 if none does."""
    row = tx.one("SELECT max(end_seq) FROM validations WHERE trail = ?", (arn,))
    return row[0] if row and row[0] is not None else -1


def _add_chain(tx: Tx, validation: int, account: str, region: str, start: int) -> None:
    tx.run(
        "INSERT INTO digest_chains (validation, account, region, next_start) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (validation, account, region) DO NOTHING",
        (validation, account, region, start),
    )


def missing_chains(tx: Tx) -> list[tuple[int, str, str]]:
    """Return stretch, account and region of delivered log files that have no chain yet."""
    rows = tx.all(
        "SELECT DISTINCT v.id, f.account, f.region FROM validations v JOIN log_files f ON f.trail = v.trail"
        " WHERE f.digest IS NULL AND f.state = 1 AND f.first_seq > v.after_seq"
        " AND f.first_seq <= coalesce(v.end_seq, ?) AND NOT EXISTS (SELECT 1 FROM digest_chains c"
        " WHERE c.validation = v.id AND c.account = f.account AND c.region = f.region)",
        (FOREVER,),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def open_chains(tx: Tx, missing: list[tuple[int, str, str]]) -> None:
    """Begin chains; the first window of each is the one that the home region's chain is in."""
    for validation, account, region in missing:
        row = tx.one("SELECT min(next_start) FROM digest_chains WHERE validation = ?", (validation,))
        if row is not None and row[0] is not None:
            _add_chain(tx, validation, account, region, row[0])


def due_chains(tx: Tx, due_before: float, turned_after: float, limit: int) -> list[Chain]:
    """Return chains with something to do.

    That is: a window that began before a moment; one that begins after another (the clock was set back); or a stretch
    that has ended and whose log files are all delivered. limit: of those that go on.
    """
    rows = tx.all(
        f"SELECT {COLUMNS} FROM {JOINED} WHERE v.end_seq IS NULL AND (c.next_start <= ? OR c.next_start > ?)"
        " ORDER BY c.next_start, c.id LIMIT ?",
        (due_before, turned_after, limit),
    )
    ended = tx.all(f"SELECT {COLUMNS} FROM {JOINED} WHERE v.end_seq IS NOT NULL ORDER BY c.id")
    final = [chain for chain in (Chain(*row) for row in ended) if is_drained(tx, chain.trail, chain.end_seq or 0)]
    return [Chain(*row) for row in rows] + final


def next_due(tx: Tx) -> float | None:
    """Return when the first window of a stretch that goes on begins, or None."""
    row = tx.one(f"SELECT min(c.next_start) FROM {JOINED} WHERE v.end_seq IS NULL")
    return row[0] if row else None


def is_drained(tx: Tx, arn: str, last_seq: int) -> bool:
    """Return whether every log file with events up to one of them is sealed and delivered."""
    row = tx.one("SELECT seq FROM cursors WHERE follower = ?", (follower_name(arn),))
    if row is not None and row[0] < last_seq:
        return False
    waiting = "SELECT 1 FROM log_files WHERE trail = ? AND state = 0 AND first_seq <= ?"
    return tx.one(waiting, (arn, last_seq)) is None


def read_chain(tx: Tx, id: int) -> Chain | None:
    """Return a chain as it stands, or None when it is finished."""
    row = tx.one(f"SELECT {COLUMNS} FROM {JOINED} WHERE c.id = ?", (id,))
    return Chain(*row) if row else None


def restart_of(tx: Tx, chain: Chain) -> int | None:
    """Return when the trail's next stretch began, None when there is none."""
    row = tx.one("SELECT min(started_at) FROM validations WHERE trail = ? AND id > ?", (chain.trail, chain.validation))
    return row[0] if row else None


def previous_of(tx: Tx, digest: int | None) -> Previous | None:
    """Return a digest as the next one refers to it."""
    row = tx.one("SELECT bucket, key, sha256, signature FROM digests WHERE id = ?", (digest,))
    return Previous(*row) if row else None


class Unlisted(NamedTuple):
    """A delivered log file that no digest lists yet. delivered_at: epoch seconds by the clock of its mark."""

    id: int
    delivered_at: float
    file: Listed


def unlisted_files(tx: Tx, chain: Chain, limit: int) -> list[Unlisted]:
    """Return up to limit log files that are the chain's to list, in the order in which they were sealed."""
    rows = tx.all(
        "SELECT id, delivered_at, bucket, key, sha256, oldest_at, newest_at FROM log_files WHERE trail = ? AND account = ?"
        " AND region = ? AND digest IS NULL AND state = 1 AND first_seq > ? AND first_seq <= ? ORDER BY id LIMIT ?",
        (
            chain.trail,
            chain.account,
            chain.region,
            chain.after_seq,
            FOREVER if chain.end_seq is None else chain.end_seq,
            limit,
        ),
    )
    return [Unlisted(row[0], row[1], Listed(*row[2:])) for row in rows]


def move_window(tx: Tx, chain: Chain, start: int) -> None:
    """Let a chain's next window begin at a moment."""
    tx.run("UPDATE digest_chains SET next_start = ? WHERE id = ?", (start, chain.id))


def advance(tx: Tx, chain: Chain, start: int, last: int | None, last_backfill: int | None) -> None:
    """Write down where a chain's next window begins and which are its newest digests."""
    tx.run(
        "UPDATE digest_chains SET next_start = ?, last = coalesce(?, last), last_backfill = coalesce(?, last_backfill)"
        " WHERE id = ?",
        (start, last, last_backfill, chain.id),
    )


def finish(tx: Tx, chain: Chain) -> None:
    """Forget a chain that has its final digest, and its stretch with the last of them."""
    tx.run("DELETE FROM digest_chains WHERE id = ?", (chain.id,))
    if tx.one("SELECT 1 FROM digest_chains WHERE validation = ?", (chain.validation,)) is None:
        tx.run("DELETE FROM validations WHERE id = ?", (chain.validation,))
