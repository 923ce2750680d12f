"""Minute after minute: does unusual activity begin, go on or end. Reads the store and changes nothing.

What goes on is kept as an `Open` per series. A minute is added to it five minutes later, when it is certain that it is
not one of the normal minutes at the end. Everything is worked out from the store, so it is the same after a restart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from apitrail.settings import Insights as InsightSettings
from apitrail.store.database import Tx
from apitrail.trail.follow import Want
from apitrail.trail.insights_count import DAY_S, MINUTE_S, Place, Series, types_wanted
from apitrail.trail.insights_record import Values
from apitrail.trail.insights_rules import (
    BASELINE_DAYS,
    DAY_MINUTES,
    DROP_FROM_AVERAGE,
    NORMAL_TO_END,
    WINDOW,
    Baseline,
    Bounds,
    baseline_of,
    begins,
    bounds_of,
)

HOUR_S = 3600
LAG_S = NORMAL_TO_END * MINUTE_S
VALUES_KEPT = 200
BASELINES_KEPT = 50_000


class Open(Struct):
    """Unusual activity that goes on. above: more calls than usual, or fewer. start: epoch seconds.

    average, minutes, baseline_values: the baseline. high, low: the bounds, fixed at the start. normal: normal minutes in a
    row. total, values: of the minutes from the start that are added already. shared_id: of Start and End.
    """

    above: bool
    start: int
    high: float
    low: float
    average: float
    minutes: int
    baseline_values: Values
    normal: int = 0
    total: int = 0
    values: Values = {}
    shared_id: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be written. at: its minute. minutes, total, values: of the unusual activity up to then."""

    series: Series
    state: str
    at: int
    minutes: int
    total: int
    values: Values
    about: Open


@dataclass(slots=True)
class Verdict:
    """What a pass found. judged: the last minute of it. open: what goes on now, by number of the series."""

    judged: int
    drafts: list[Draft] = field(default_factory=list)
    open: dict[int, Open] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)


class Judge:
    """Judges minutes. Keeps baselines for an hour, since they are worked out of up to 10,080 minutes each."""

    def __init__(self, settings: InsightSettings) -> None:
        self._settings = settings
        self._hour = 0
        self._baselines: dict[int, Baseline | None] = {}
        self._busy: set[int] = set()

    def judge(self, tx: Tx, first: int, last: int, wants: Sequence[Want], running_since: int) -> Verdict:
        """Judge the minutes from first to last (their starts in epoch seconds).

        running_since: calls cannot have become fewer before, because the server did not run.
        """
        sitting = _Sitting(tx, first, last, wants)
        for at in range(first, last + 1, MINUTE_S):
            self._turn_hour(tx, at - at % HOUR_S)
            for number in sorted(sitting.active(at) | self._busy | sitting.open.keys()):
                if sitting.is_wanted(number):
                    self._judge_minute(sitting, number, at, running_since)
                else:
                    sitting.open.pop(number, None)
        closed = sitting.known - sitting.open.keys()
        return Verdict(last, sitting.drafts, sitting.open, closed)

    def _turn_hour(self, tx: Tx, hour: int) -> None:
        """Forget the baselines of another hour, and find the series whose calls may become unusually few."""
        if hour == self._hour:
            return
        self._hour, self._baselines = hour, {}
        rows = tx.all(
            "SELECT series FROM insight_counts WHERE period = ? AND at >= ? AND at < ?"
            " GROUP BY series HAVING sum(count) >= ?",
            (HOUR_S, hour - BASELINE_DAYS * DAY_S, hour, DROP_FROM_AVERAGE * DAY_MINUTES),
        )
        self._busy = {number for (number,) in rows}

    def _judge_minute(self, sitting: "_Sitting", number: int, at: int, running_since: int) -> None:
        state = sitting.open.get(number)
        if state is None:
            self._look_for_start(sitting, number, at, running_since)
        else:
            _go_on(sitting, number, state, at)

    def _look_for_start(self, sitting: "_Sitting", number: int, at: int, running_since: int) -> None:
        baseline = self._baseline(sitting, number)
        if baseline is None:
            return
        bounds = bounds_of(baseline, self._settings)
        window = range(at - (WINDOW - 1) * MINUTE_S, at + MINUTE_S, MINUTE_S)
        if window[0] < running_since:
            bounds = Bounds(bounds.high, 0.0)
        begun = begins([sitting.count(number, minute) for minute in window], bounds)
        if begun is not None:
            above, index = begun
            sitting.begin(number, window[index], at, above, bounds, baseline.minutes)

    def _baseline(self, sitting: "_Sitting", number: int) -> Baseline | None:
        """Return the baseline of whole days up to this hour; None when there is less than a day."""
        if number not in self._baselines and len(self._baselines) < BASELINES_KEPT:
            days = min(BASELINE_DAYS, (self._hour - sitting.since(number)) // DAY_S)
            self._baselines[number] = sitting.baseline(number, self._hour, days * DAY_MINUTES) if days > 0 else None
        return self._baselines.get(number)


class _Sitting:
    """The store as one pass needs it, and what it has found so far."""

    def __init__(self, tx: Tx, first: int, last: int, wants: Sequence[Want]) -> None:
        self._tx = tx
        self._wants = wants
        self._series: dict[int, Series] = {}
        self._wanted: dict[int, bool] = {}
        self._counts: dict[int, dict[int, int]] = {}
        self._by_minute: dict[int, set[int]] = {}
        self.drafts: list[Draft] = []
        self.open = {
            number: msgspec.json.decode(doc, type=Open) for number, doc in tx.all("SELECT * FROM insights_open")
        }
        self.known = set(self.open)
        sql = "SELECT series, at, count FROM insight_counts WHERE period = ? AND at >= ? AND at <= ?"
        for number, at, count in tx.all(sql, (MINUTE_S, first - LAG_S, last)):
            self._counts.setdefault(number, {})[at] = count
            self._by_minute.setdefault(at, set()).add(number)

    def active(self, at: int) -> set[int]:
        """Return the series with calls in a minute."""
        return self._by_minute.get(at, set())

    def count(self, number: int, at: int) -> int:
        """Return how many calls a series had in a minute."""
        return self._counts.get(number, {}).get(at, 0)

    def series(self, number: int) -> Series:
        """Return what a number stands for."""
        if number not in self._series:
            row = self._tx.one(
                "SELECT account, region, category, source, name, error FROM insight_series WHERE id = ?", (number,)
            )
            assert row is not None, f"there are counts without a series {number}"
            self._series[number] = Series(*row)
        return self._series[number]

    def is_wanted(self, number: int) -> bool:
        """Return whether a trail has Insights of this type on here."""
        if number not in self._wanted:
            series = self.series(number)
            kinds = types_wanted(self._wants, series.account, series.region, series.category)
            self._wanted[number] = series.kind in kinds
        return self._wanted[number]

    def since(self, number: int) -> int:
        """Return the first whole minute that was counted where a series is."""
        series = self.series(number)
        place = Place(series.account, series.region, series.category)
        row = self._tx.one("SELECT since FROM insight_places WHERE account = ? AND region = ? AND category = ?", place)
        return int(row[0]) + MINUTE_S if row else 1 << 62

    def baseline(self, number: int, end: int, minutes: int) -> Baseline:
        """Return the baseline of the minutes that end at a time."""
        row = self._tx.one(
            "SELECT coalesce(sum(count), 0), coalesce(sum(count * count), 0) FROM insight_counts"
            " WHERE series = ? AND period = ? AND at >= ? AND at < ?",
            (number, MINUTE_S, end - minutes * MINUTE_S, end),
        )
        assert row is not None
        return baseline_of(row[0], row[1], minutes)

    def values(self, number: int, period: int, first: int, last: int) -> Values:
        """Return the counts of attributes in the periods from first to last."""
        rows = self._tx.all(
            "SELECT attribute, value, sum(count) FROM insight_values WHERE series = ? AND period = ? AND at >= ?"
            " AND at <= ? GROUP BY attribute, value",
            (number, period, first, last),
        )
        found: Values = {}
        for attribute, value, count in rows:
            found.setdefault(attribute, {})[value] = count
        return found

    def begin(self, number: int, start: int, at: int, above: bool, bounds: Bounds, minutes: int) -> None:
        """Open unusual activity that was found at a minute and began at start, and draft its event."""
        now = self.values(number, MINUTE_S, start, at)
        before = self.values(number, DAY_S, start - minutes * MINUTE_S - DAY_S // 2, at)
        average = self.baseline(number, start, minutes).average
        state = Open(above, start, bounds.high, bounds.low, average, minutes, _without(before, now))
        self.open[number] = state
        lasted = range(start, at + MINUTE_S, MINUTE_S)
        total = sum(self.count(number, minute) for minute in lasted)
        self.drafts.append(Draft(self.series(number), "Start", start, len(lasted), total, now, state))

    def end(self, number: int, state: Open, at: int) -> None:
        """Close unusual activity that was over at a minute, and draft its event."""
        del self.open[number]
        minutes = (at - state.start) // MINUTE_S
        self.drafts.append(Draft(self.series(number), "End", at, minutes, state.total, state.values, state))


def _go_on(sitting: _Sitting, number: int, state: Open, at: int) -> None:
    """Add the minute that is certain by now, and end after five normal ones."""
    certain = at - LAG_S
    if certain >= state.start:
        state.total += sitting.count(number, certain)
        _merge(state.values, sitting.values(number, MINUTE_S, certain, certain))
    bounds, count = Bounds(state.high, state.low), sitting.count(number, at)
    unusual = bounds.is_high(count) if state.above else bounds.is_low(count)
    state.normal = 0 if unusual else state.normal + 1
    if state.normal == NORMAL_TO_END:
        sitting.end(number, state, at - LAG_S + MINUTE_S)


def _merge(into: Values, more: Values) -> None:
    for attribute, value, count in _flat(more):
        counts = into.setdefault(attribute, {})
        if value in counts or len(counts) < VALUES_KEPT:
            counts[value] = counts.get(value, 0) + count


def _without(all_values: Values, some: Values) -> Values:
    """Return counts less some of them."""
    left: Values = {}
    for attribute, value, count in _flat(all_values):
        if (rest := count - some.get(attribute, {}).get(value, 0)) > 0:
            left.setdefault(attribute, {})[value] = rest
    return left


def _flat(values: Values) -> Iterator[tuple[str, str, int]]:
    for attribute, counts in values.items():
        for value, count in counts.items():
            yield attribute, value, count
