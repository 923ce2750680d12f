"""What is true of a trail's deliveries, taken from the marks."""

from dataclasses import dataclass

from apitrail.store.database import Tx
from apitrail.trail.follow import Course


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


def trail_status(tx: Tx, trail: str, course: Course | None) -> TrailStatus:
    """Return a trail's account of its events. course: what the follower has taken in since the last seal, if it knows it.

    Each figure is counted on its own, so that a sum that does not hold shows a loss.
    """
    received, filtered = tx.one("SELECT received, filtered FROM trail_counts WHERE trail = ?", (trail,)) or (0, 0)
    delivered, files = tx.one(
        "SELECT coalesce(sum(event_count), 0), count(*) FROM log_files WHERE trail = ? AND state = 1", (trail,)
    ) or (0, 0)
    sealed, oldest = tx.one(
        "SELECT coalesce(sum(event_count), 0), min(oldest_at) FROM log_files WHERE trail = ? AND state = 0", (trail,)
    ) or (0, None)
    waiting = list(course.waiting.values()) if course else []
    times = [item.oldest for item in waiting] + ([oldest] if oldest is not None else [])
    return TrailStatus(
        received=received + (course.received if course else 0),
        delivered=delivered,
        filtered=filtered + (course.filtered if course else 0),
        waiting=sealed + sum(item.event_count for item in waiting),
        files=files,
        oldest=min(times, default=None),
    )
