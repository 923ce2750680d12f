"""What Insights counts: calls per minute and, for the same minutes, who made them.

Everything that must last is in the store, so a restart loses nothing: a batch of the journal is counted in memory and written
together with the follower's cursor. Source: CloudTrail User Guide, Insights events.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from msgspec import Struct

from apitrail.events.rules import is_read_only
from apitrail.store import journal
from apitrail.store.database import Row, Tx
from apitrail.trail.follow import Want

CALL_RATE, ERROR_RATE = "ApiCallRateInsight", "ApiErrorRateInsight"
MINUTE_S, DAY_S = 60, 86400
PERIODS = {60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 90 * DAY_S}
"""The periods that are counted, in seconds, and how long they are kept. Source: ListInsightsMetricData."""
VALUE_PERIODS = {MINUTE_S: 600, DAY_S: 8 * DAY_S}
VALUES_MAX = 50
VALUE_LENGTH_MAX = 256
NO_ERROR = "null"
CATEGORY_NAMES = {journal.MANAGEMENT: "Management", journal.DATA: "Data"}


class Series(NamedTuple):
    """What is counted. error: of an error rate; empty: all calls."""

    account: str
    region: str
    category: int
    source: str
    name: str
    error: str

    @property
    def kind(self) -> str:
        """The type of Insights that it belongs to."""
        return ERROR_RATE if self.error else CALL_RATE


class Place(NamedTuple):
    """Where events are counted."""

    account: str
    region: str
    category: int


class Item(NamedTuple):
    """One attribute's value in one minute of a series."""

    series: Series
    at: int
    attribute: str
    value: str


class _Caller(Struct, gc=False):
    arn: str | None = None
    invokedBy: str | None = None


class _Resource(Struct, gc=False):
    ARN: str | None = None


class _Call(Struct, gc=False):
    eventName: str
    eventSource: str
    errorCode: str | None = None
    readOnly: bool | None = None
    userAgent: str | None = None
    userIdentity: _Caller | None = None
    resources: list[_Resource] | None = None


_decoder = msgspec.json.Decoder(_Call)


@dataclass(slots=True)
class Tally:
    """Counts of a batch. upto: the last event taken in. since: first minute seen per place."""

    upto: int
    counts: Counter[tuple[Series, int]] = field(default_factory=Counter)
    values: Counter[Item] = field(default_factory=Counter)
    since: dict[Place, int] = field(default_factory=dict)


def types_wanted(wants: Iterable[Want], account: str, region: str, category: int) -> set[str]:
    """Return the types of Insights that trails want of a place's events."""
    name = CATEGORY_NAMES.get(category)
    return {kind for want in wants if want.in_reach(account, region) for kind, of in want.insights if of == name}


def tally(rows: Sequence[Row], wants: Sequence[Want], upto: int) -> Tally:
    """Count a batch of the journal. rows: seq, account, region, category, time, event."""
    found = Tally(upto)
    kinds: dict[Place, set[str]] = {}
    for _, account, region, category, time, event in rows:
        place = Place(account, region, category)
        if place not in kinds:
            kinds[place] = types_wanted(wants, *place)
        if kinds[place] and (category == journal.MANAGEMENT or _is_logged(wants, place, event)):
            found.since.setdefault(place, time - time % MINUTE_S)
            _count(found, place, kinds[place], time - time % MINUTE_S, event)
    return found


def _is_logged(wants: Sequence[Want], place: Place, event: bytes) -> bool:
    """Return whether a data event is one that a trail with Insights on data events logs."""
    return any(
        any(of == "Data" for _, of in want.insights)
        and want.in_reach(place.account, place.region)
        and want.wants(place.category, event)
        for want in wants
    )


def _count(found: Tally, place: Place, kinds: set[str], at: int, event: bytes) -> None:
    try:
        call = _decoder.decode(event)
    except msgspec.DecodeError:
        return
    reads = is_read_only(call.eventName, call.eventSource) if call.readOnly is None else call.readOnly
    attributes = _attributes(call, place.category)
    if CALL_RATE in kinds and (place.category == journal.DATA or not reads):
        rate = Series(*place, call.eventSource, call.eventName, "")
        _add(found, rate, at, [*attributes, ("errorCode", call.errorCode or NO_ERROR)])
    if ERROR_RATE in kinds and call.errorCode:
        _add(found, Series(*place, call.eventSource, call.eventName, call.errorCode), at, attributes)


def _add(found: Tally, series: Series, at: int, attributes: list[tuple[str, str]]) -> None:
    found.counts[series, at] += 1
    for attribute, value in attributes:
        found.values[Item(series, at, attribute, value[:VALUE_LENGTH_MAX])] += 1


def _attributes(call: _Call, category: int) -> list[tuple[str, str]]:
    caller = call.userIdentity or _Caller()
    found = [
        ("userIdentityArn", fold_session(caller.arn or caller.invokedBy or "")),
        ("userAgent", call.userAgent or ""),
    ]
    if category == journal.DATA:
        found += [("resourceArn", item.ARN or "") for item in call.resources or ()]
    return [(attribute, value) for attribute, value in found if value]


def fold_session(arn: str) -> str:
    """Return a caller's ARN without the name of its session, so that all sessions of a role count as one."""
    head, mark, role = arn.partition(":assumed-role/")
    return f"{head}{mark}{role.partition('/')[0]}" if mark else arn


def write_tally(tx: Tx, found: Tally, series_max: int) -> int:
    """Add a batch's counts to the store; return how many series were left out because there are too many already."""
    for place, since in found.since.items():
        tx.run("INSERT OR IGNORE INTO insight_places VALUES (?, ?, ?, ?)", (*place, since))
    numbers = {series: _number(tx, series, series_max) for series in {series for series, _ in found.counts}}
    for (series, at), count in found.counts.items():
        if (number := numbers[series]) is not None:
            for period in PERIODS:
                _add_count(tx, number, period, at - at % period, count)
    for item, count in found.values.items():
        if (number := numbers[item.series]) is not None:
            for period in VALUE_PERIODS:
                _add_value(tx, number, period, item, count)
    return sum(number is None for number in numbers.values())


def _number(tx: Tx, series: Series, series_max: int) -> int | None:
    row = tx.one(
        "SELECT id FROM insight_series WHERE account = ? AND region = ? AND category = ? AND source = ? AND name = ?"
        " AND error = ?",
        series,
    )
    if row is not None:
        return int(row[0])
    known = tx.one("SELECT count(*) FROM insight_series")
    if known is not None and known[0] >= series_max:
        return None
    sql = "INSERT INTO insight_series (account, region, category, source, name, error) VALUES (?, ?, ?, ?, ?, ?)"
    return tx.insert(sql, series)


def _add_count(tx: Tx, number: int, period: int, at: int, count: int) -> None:
    tx.run(
        "INSERT INTO insight_counts VALUES (?, ?, ?, ?)"
        " ON CONFLICT (series, period, at) DO UPDATE SET count = count + excluded.count",
        (number, period, at, count),
    )


def _add_value(tx: Tx, number: int, period: int, item: Item, count: int) -> None:
    """Count a value of an attribute, unless the period has as many values already as are kept."""
    key = (number, period, item.at - item.at % period, item.attribute)
    changed = tx.run(
        "UPDATE insight_values SET count = count + ? WHERE series = ? AND period = ? AND at = ? AND attribute = ?"
        " AND value = ?",
        (count, *key, item.value),
    )
    if not changed:
        tx.run(
            "INSERT INTO insight_values SELECT ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM insight_values"
            " WHERE series = ? AND period = ? AND at = ? AND attribute = ?) < ?",
            (*key, item.value, count, *key, VALUES_MAX),
        )


def forget(tx: Tx, now: int, limit: int) -> bool:
    """Remove up to limit counts of each period that are older than it is kept; return whether there is more.

    now: epoch seconds. What has no counts any more goes as well.
    """
    more = False
    for table, kept in (("insight_counts", PERIODS), ("insight_values", VALUE_PERIODS)):
        for period, seconds in kept.items():
            gone = tx.run(
                f"DELETE FROM {table} WHERE (series, period, at) IN"
                f" (SELECT series, period, at FROM {table} WHERE period = ? AND at < ? LIMIT ?)",
                (period, now - seconds, limit),
            )
            more = more or gone >= limit
    tx.run(
        "DELETE FROM insight_series WHERE id IN (SELECT id FROM insight_series s WHERE NOT EXISTS"
        " (SELECT 1 FROM insight_counts c WHERE c.series = s.id) LIMIT ?)",
        (limit,),
    )
    tx.run("DELETE FROM insight_events WHERE seq < (SELECT coalesce(min(seq), 0) FROM journal)")
    return more
