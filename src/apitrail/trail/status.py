"""What is true of a trail's deliveries, taken from the marks."""

from collections.abc import Sequence
from dataclasses import dataclass

from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.trail.follow import Segment
from apitrail.trail.trails import follower_name, spans_of


@dataclass(frozen=True, slots=True)
class RegionStatus:
    """Deliveries of a trail in one region. Times in epoch seconds, None: never. error: code of the last try, or empty."""

    success_at: float | None = None
    attempt_at: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class TrailStatus:
    """Where a trail's events are: received = delivered + filtered + waiting.

    waiting: in the journal, sealed or not. files: delivered log files. oldest: time of the oldest waiting event.
    """

    received: int
    delivered: int
    filtered: int
    waiting: int
    files: int
    oldest: float | None


def region_status(tx: Tx, trail: str, region: str | None) -> RegionStatus:
    """Return the deliveries of a trail in a region, or the latest of all regions."""
    sql = "SELECT max(success_at), max(attempt_at), max(error) FROM deliveries WHERE trail = ? AND region LIKE ?"
    row = tx.one(sql, (trail, "%" if region is None else region))
    return RegionStatus(row[0], row[1], row[2] or "") if row else RegionStatus()


def digest_status(tx: Tx, trail: str, region: str) -> RegionStatus:
    """Return the deliveries of a trail's digest files in a region."""
    sql = "SELECT success_at, attempt_at, error FROM digest_deliveries WHERE trail = ? AND region = ?"
    row = tx.one(sql, (trail, region))
    return RegionStatus(*row) if row else RegionStatus()


def notification_status(tx: Tx, trail: str, region: str) -> RegionStatus:
    """Return the notifications of a trail's log files in a region."""
    sql = "SELECT notified_at, notify_attempt_at, notify_error FROM deliveries WHERE trail = ? AND region = ?"
    row = tx.one(sql, (trail, region))
    return RegionStatus(*row) if row else RegionStatus()


def sink_status(tx: Tx, follower: str, region: str) -> RegionStatus:
    """Return the deliveries to a stream sink in a region. follower: the name of its cursor."""
    sql = "SELECT success_at, NULL, error FROM sink_deliveries WHERE sink = ? AND region = ?"
    row = tx.one(sql, (follower, region))
    return RegionStatus(*row) if row else RegionStatus()


def trail_status(tx: Tx, trail: str, segments: Sequence[Segment]) -> TrailStatus:
    """Return a trail's account of its events, true in every moment.

    segments: what the scan has taken in of it, read before this transaction began; what has been sealed since is known from
    the database. Events that nobody has looked at yet count as waiting. Each figure is counted on its own, so that a sum
    that does not hold shows a loss.
    """
    cursor = journal.cursor(tx, follower_name(trail))
    taken = [segment for segment in segments if segment.upto > cursor]
    tail, tail_oldest = _unseen(tx, trail, max([cursor, *(segment.upto for segment in taken)]))
    received, filtered = tx.one("SELECT received, filtered FROM trail_counts WHERE trail = ?", (trail,)) or (0, 0)
    delivered, files = tx.one(
        "SELECT coalesce(sum(event_count), 0), count(*) FROM log_files WHERE trail = ? AND state = 1", (trail,)
    ) or (0, 0)
    sealed, oldest = tx.one(
        "SELECT coalesce(sum(event_count), 0), min(oldest_at) FROM log_files WHERE trail = ? AND state = 0", (trail,)
    ) or (0, None)
    times = [oldest, tail_oldest, *(segment.oldest for segment in taken)]
    return TrailStatus(
        received=received + sum(segment.received for segment in taken) + tail,
        delivered=delivered,
        filtered=filtered + sum(segment.filtered for segment in taken),
        waiting=sealed + sum(segment.waiting for segment in taken) + tail,
        files=files,
        oldest=min((time for time in times if time is not None), default=None),
    )


def _unseen(tx: Tx, trail: str, position: int) -> tuple[int, int | None]:
    """Return how many events in a trail's reach come after a position, and the earliest time of theirs."""
    count, times = 0, []
    for span in spans_of(tx, trail):
        marks = ", ".join("?" * len(span.accounts))
        last = (1 << 62) if span.last is None else span.last
        found, oldest = tx.one(
            f"SELECT count(*), min(time) FROM journal WHERE seq > ? AND seq >= ? AND seq <= ? AND account IN ({marks})"
            " AND ? IN ('', region)",
            (position, span.first, last, *span.accounts, span.region),
        ) or (0, None)
        count += found
        times += [oldest] if oldest is not None else []
    return count, min(times, default=None)
