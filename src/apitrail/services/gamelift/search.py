"""Searching the active game sessions of a fleet through the index, a bounded number of documents per call.

Every order has one place for each session, (indexed value, number of the document), so a position stays right whichever
way the next page is read. Sessions without a value of the operand that they are sorted by come last.
The number of players has two indexes, of sessions with room and of full ones: whoever asks for both merges them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain
from typing import Any

from apitrail.services.gamelift.collections import GAME_SESSIONS
from apitrail.services.gamelift.expressions import Comparison, Filter, Sort
from apitrail.services.gamelift.session_facts import (
    NUMBER_DIGITS,
    OPERANDS,
    TAKEN,
    Operand,
    end_of,
    listing,
    rank,
    rank_prefix,
    room_prefix,
)
from apitrail.store.resources import Doc, Documents, Entry, Place

EXAMINED_MAX = 5000
"""Documents that one call looks at; when more would be needed, the page is short and its token goes on."""

EXAMINED_AT_ONCE = 500
"""Documents that are looked at in one piece of work."""

BATCH_FIRST, BATCH_MAX = 21, 400
SORTED_MAX = 200
"""Sessions that are fetched by a comparison and then sorted, instead of being walked in order."""

NUMBER_MAX = 10**NUMBER_DIGITS - 1
CREATION = OPERANDS["creationTimeMillis"]
HAS_ROOM = OPERANDS["hasAvailablePlayerSessions"]

Position = list[Any]
"""[rank or None, ord]: the place behind which a page begins. None: among those without a value, or without an order."""

Found = tuple[Position, Doc]


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched: active sessions of a fleet, in one location or all of them."""

    fleet_id: str
    location: str | None
    filter: Filter | None
    sort: Sort | None

    @property
    def required(self) -> Sequence[Comparison]:
        """The comparisons that hold in every session that is found."""
        return self.filter.required if self.filter else ()

    @property
    def is_direct(self) -> bool:
        """Whether the sessions that are looked at are those that are found, as the index leads to nothing else."""
        if self.filter is None:
            return self.location is None or self.sort is None
        if self.location is not None or not self.filter.is_exact:
            return False
        if self.sort is None:
            return len(self.required) == 1 and self.required[0].comparator == "=" and _is_indexed(self.required[0])
        return all(_is_in_order(comparison, self.sort.operand) for comparison in self.required)

    def matches(self, doc: Doc) -> bool:
        """Return whether a session belongs to the result."""
        return (self.location is None or doc["Location"] == self.location) and (
            self.filter is None or self.filter.matches(doc)
        )


def find_sessions(
    place: Place, search: Search, limit: int, after: Position | None, examined_max: int = EXAMINED_MAX
) -> tuple[list[Doc], Position | None]:
    """Return up to limit sessions behind a position, and the position of the next page or None at the end.

    examined_max: how many are looked at.
    """
    page: list[Doc] = []
    last = after
    for examined, (position, doc) in enumerate(_walk(GAME_SESSIONS(place), search, after), 1):
        if search.matches(doc):
            if len(page) == limit:
                return page, last
            page.append(doc)
            last = position
        if examined == examined_max:
            return page, position
    return page, None


def _walk(documents: Documents, search: Search, after: Position | None) -> Iterator[Found]:
    """Yield sessions in the order of the search, among them all that match."""
    equal = _narrowest(documents, search)
    if search.sort is None and (equal is not None or not _is_bounded(CREATION, search.required)):
        yield from _by_creation(documents, search, equal, after)
        return
    sort = search.sort or Sort(CREATION, descending=False)
    if search.sort is not None and equal is not None and _count(documents, equal) <= SORTED_MAX:
        yield from _sorted(documents, sort, equal, after)
        return
    if after is None or after[0] is not None:
        yield from _by_value(documents, search, sort, after)
        after = None
    yield from _without_value(documents, search, sort, after)


def _by_creation(
    documents: Documents, search: Search, equal: Sequence[str] | None, after: Position | None
) -> Iterator[Found]:
    """Yield all sessions, or those with one of some indexed values, in the order of creation."""
    ord_ = 0 if after is None else after[1]
    if equal is None:
        return _listed(documents, ("listing", listing(search.fleet_id, search.location, "ACTIVE")), ord_)
    return _merged([_listed(documents, ("rank", value), ord_) for value in equal])


def _listed(documents: Documents, where: tuple[str, str], ord_: int) -> Iterator[Found]:
    """Yield the sessions with an indexed value behind a number, in the order of creation."""
    count = BATCH_FIRST
    while rows := documents.find(*where, count, ord_, shared=True):
        for row in rows:
            yield [None, row.ord], row.doc
        if len(rows) < count:
            return
        ord_, count = rows[-1].ord, min(2 * count, BATCH_MAX)


def _by_value(documents: Documents, search: Search, sort: Sort, after: Position | None) -> Iterator[Found]:
    """Yield the sessions that have a value of the operand, in the order of the values."""
    prefixes = _prefixes(search, sort.operand)
    return _merged([_ranked(documents, search, sort, prefix, after) for prefix in prefixes], descending=sort.descending)


def _ranked(documents: Documents, search: Search, sort: Sort, prefix: str, after: Position | None) -> Iterator[Found]:
    """Yield the sessions of an index in its order."""
    low, high = _span(search, sort.operand, prefix)
    behind, count = (None if after is None else (prefix + after[0], after[1])), BATCH_FIRST
    while rows := documents.between("rank", low, high, count, behind, descending=sort.descending, shared=True):
        for row in rows:
            yield [row.value.removeprefix(prefix), row.entry.ord], row.entry.doc
        if len(rows) < count:
            return
        behind, count = (rows[-1].value, rows[-1].entry.ord), min(2 * count, BATCH_MAX)


def _merged(walks: Sequence[Iterator[Found]], *, descending: bool = False) -> Iterator[Found]:
    """Return sessions that come in order in one order."""
    return walks[0] if len(walks) == 1 else merge(*walks, key=_position, reverse=descending)


def _position(found: Found) -> tuple[str, int]:
    rank_, ord_ = found[0]
    return rank_ or "", ord_


def _without_value(documents: Documents, search: Search, sort: Sort, after: Position | None) -> Iterator[Found]:
    """Yield the sessions that have no value of the operand, in the order of creation."""
    if sort.operand.kind != "string" or sort.operand.name == "gameSessionId":
        return
    for position, doc in _by_creation(documents, search, None, after):
        if sort.operand.value_of(doc) is None:
            yield position, doc


def _sorted(documents: Documents, sort: Sort, equal: Sequence[str], after: Position | None) -> Iterator[Found]:
    """Yield the sessions with one of some indexed values, few as they are, in the order of the search."""
    found = sorted(
        chain.from_iterable(documents.find("rank", value, shared=True) for value in equal), key=lambda entry: entry.ord
    )
    placed = [(_place(sort.operand, entry), entry.doc) for entry in found]
    ranked = [item for item in placed if item[0][0] is not None]
    ranked.sort(key=lambda item: item[0], reverse=sort.descending)
    others = [item for item in placed if item[0][0] is None]
    for position, doc in (*ranked, *others):
        if after is None or _is_behind(position, after, sort):
            yield position, doc


def _place(operand: Operand, entry: Entry) -> Position:
    value = operand.value_of(entry.doc)
    return [None if value is None else rank(operand, value), entry.ord]


def _is_behind(position: Position, after: Position, sort: Sort) -> bool:
    if position[0] is None or after[0] is None:
        return position[0] is None and (after[0] is not None or position[1] > after[1])
    return position < after if sort.descending else position > after


def _narrowest(documents: Documents, search: Search) -> Sequence[str] | None:
    """Return the indexed values that fewest sessions have, among those that a match must have; None without any."""
    values = [
        [prefix + rank(comparison.operand, comparison.value) for prefix in _prefixes(search, comparison.operand)]
        for comparison in search.required
        if comparison.comparator == "=" and _is_indexed(comparison)
    ]
    if len(values) < 2:
        return values[0] if values else None
    return min(values, key=lambda some: _count(documents, some))


def _is_indexed(comparison: Comparison) -> bool:
    """Return whether the index has such values: no fractions, no negative numbers, nothing out of its range."""
    value = comparison.value
    return comparison.operand.kind != "number" or (isinstance(value, int) and 0 <= value <= NUMBER_MAX)


def _is_in_order(comparison: Comparison, operand: Operand) -> bool:
    """Return whether all sessions in which a comparison holds follow each other in the order of an operand."""
    if comparison.operand is operand:
        return operand.kind == "number" and comparison.comparator != "<>"
    return operand is TAKEN and _wants_room(comparison)


def _wants_room(comparison: Comparison) -> bool:
    return comparison.operand is HAS_ROOM and (comparison.comparator == "=") == comparison.value


def _count(documents: Documents, values: Sequence[str]) -> int:
    """Return how many sessions have one of some indexed values; not all, where there are more than are sorted at a time."""
    return sum(documents.count_between("rank", value, value + "\x01", SORTED_MAX + 1) for value in values)


def _prefixes(search: Search, operand: Operand) -> Sequence[str]:
    """Return what the indexed values of an operand begin with."""
    prefix = rank_prefix(search.fleet_id, operand)
    if operand is not TAKEN:
        return [prefix]
    with_room = room_prefix(search.fleet_id)
    return [with_room] if any(map(_wants_room, search.required)) else [with_room, prefix]


def _span(search: Search, operand: Operand, prefix: str) -> tuple[str, str]:
    """Return the range of an index in which its matches lie."""
    if operand.kind != "number":
        return prefix, end_of(prefix)
    low, high = 0, NUMBER_MAX
    for comparison in search.required:
        if comparison.operand is operand and comparison.comparator in (">", ">=", "="):
            low = max(low, math.ceil(comparison.value))
        if comparison.operand is operand and comparison.comparator in ("<", "<=", "="):
            high = min(high, math.floor(comparison.value))
    low, high = min(low, NUMBER_MAX), max(high, -1)
    return prefix + rank(operand, low), prefix + rank(operand, high + 1) if high < NUMBER_MAX else end_of(prefix)


def _is_bounded(operand: Operand, required: Sequence[Comparison]) -> bool:
    return any(comparison.operand is operand and comparison.comparator != "<>" for comparison in required)
