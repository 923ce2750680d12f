"""The only module that asks the system for the time."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. now: UTC-aware wall clock. monotonic: seconds, never going back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()


class MovableClock(SystemClock):
    """The machine's clock, set forward by hand: time passes as usual, and days pass at once. For `dev`."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Return the wall-clock time in UTC, as far ahead as the clock was set."""
        return super().now() + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        """Return seconds since some fixed moment, those included that were skipped."""
        return super().monotonic() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Set forward."""
        self._ahead_s += seconds


class VirtualClock:
    """A clock that stands still until it is moved; for tests and for replays."""

    def __init__(self, start: datetime = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the time it was last moved to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it was moved forward so far."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, to: datetime) -> None:
        """Set the wall clock, forward or back, as an operator or a time service would; monotonic stays."""
        self._now = to
