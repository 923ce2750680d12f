"""Tickets that wait, in order of age and of the value that keeps them apart, whole and by location.

Sorted lists with a batch of newcomers merged in and the dead swept out from time to time, so that additions and removals
cost little, and a window of values is found by bisection.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from apitrail.flexmatch.plan import INFINITE
from apitrail.flexmatch.waiting import EVERYWHERE, Waiting

Row = tuple[float, tuple[float, str], Waiting]
T = TypeVar("T")
LAST = (INFINITE, "")
FEW_SHARE = 50
SLACK = 1e-9
DEAD_MIN = 64


class Shelf:
    """Tickets of one partition: those that may be equal in all texts that rules want equal.

    in_order: all as (order, ticket). by_value: as (value, key, ticket); where no rule keeps a number together all values are 0.
    """

    def __init__(self) -> None:
        self.in_order: list[tuple[tuple[float, str], Waiting]] = []
        self.by_value: list[Row] = []
        self.by_place: dict[int, list[Row]] = {}
        self.party_max = 1
        self._fresh: list[Waiting] = []
        self._dead = 0
        self._live: list[Waiting] | None = None
        self._skipped = 0

    def add(self, waiting: Waiting) -> None:
        """Take a ticket in at the next merge."""
        self._fresh.append(waiting)
        self.party_max = max(self.party_max, waiting.count)

    def drop(self) -> None:
        """Note that a ticket has gone."""
        self._dead += 1

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return len(self.in_order) + len(self._fresh) - self._dead

    def merge(self) -> None:
        """Sort newcomers in; sweep the dead out when they are many."""
        fresh = [waiting for waiting in self._fresh if not waiting.gone]
        self._dead -= len(self._fresh) - len(fresh)
        self._fresh = []
        if self._dead > max(DEAD_MIN, len(self.in_order) // 2):
            self._sweep()
        if fresh:
            self._insert(fresh)

    def tickets(self) -> Iterator[Waiting]:
        """Yield all tickets that wait, merged ones only."""
        return (waiting for _, waiting in self.in_order if not waiting.gone)

    def places(self, waiting: Waiting, width: float, mask: int) -> list[tuple[int, int]]:
        """Return (most players within a width, bit) of every location of a mask; bit -1 stands for all locations.

        Counted are also those that have gone since the last sweep, and every ticket as if it were the largest.
        """
        value = 0.0 if waiting.value is None else waiting.value
        anywhere = self._count(self.by_place.get(EVERYWHERE, []), value, width)
        if mask == EVERYWHERE:
            return [(self.party_max * self._count(self.by_value, value, width), EVERYWHERE)]
        return [
            (self.party_max * (anywhere + self._count(self.by_place[bit], value, width)), bit)
            for bit in bits_of(mask)
            if bit in self.by_place
        ]

    def within(self, waiting: Waiting, width: float, mask: int) -> Iterator[Waiting]:
        """Yield the tickets within a width of a ticket's value, itself and the gone included.

        mask: only those of a location, if it has one bit; else all.
        """
        value = 0.0 if waiting.value is None else waiting.value
        lists = [self.by_value]
        if mask != EVERYWHERE and mask & (mask - 1) == 0:
            lists = [self.by_place.get(mask.bit_length() - 1, []), self.by_place.get(EVERYWHERE, [])]
        for rows in lists:
            low, high = _bounds(rows, value, width)
            for row in rows[low:high]:
                yield row[2]

    def look_anew(self) -> None:
        """Have `scan` look at everybody again, since some have become due."""
        self._live = None

    def scan(self, allowed: Callable[[Waiting], bool]) -> Iterator[Waiting]:
        """Yield in order those who are allowed; who is refused once stays refused until `look_anew`."""
        if self._live is None:
            self._live, self._skipped = [waiting for _, waiting in self.in_order if allowed(waiting)], 0
        if self._skipped > len(self._live) // 2 + DEAD_MIN:
            self._live, self._skipped = [waiting for waiting in self._live if allowed(waiting)], 0
        for waiting in self._live:
            if allowed(waiting):
                yield waiting
            else:
                self._skipped += 1

    def _count(self, rows: list[Row], value: float, width: float) -> int:
        low, high = _bounds(rows, value, width)
        return high - low

    def _insert(self, fresh: list[Waiting]) -> None:
        self.look_anew()
        _merge(self.in_order, [(waiting.order, waiting) for waiting in fresh], _first)
        rows: list[Row] = [(waiting.value or 0.0, waiting.key, waiting) for waiting in fresh]
        _merge(self.by_value, rows, _first_two)
        by_place: dict[int, list[Row]] = {}
        for row in rows:
            for bit in bits_of(row[2].wide):
                by_place.setdefault(bit, []).append(row)
        for bit, more in by_place.items():
            _merge(self.by_place.setdefault(bit, []), more, _first_two)

    def _sweep(self) -> None:
        self._dead = 0
        self.in_order = [row for row in self.in_order if not row[1].gone]
        self.by_value = [row for row in self.by_value if not row[2].gone]
        swept = {bit: [row for row in rows if not row[2].gone] for bit, rows in self.by_place.items()}
        self.by_place = {bit: rows for bit, rows in swept.items() if rows}
        self.party_max = max((waiting.count for _, waiting in self.in_order), default=1)


def _merge(rows: list[T], more: list[T], key: Callable[[T], Any]) -> None:
    """Put more rows into sorted ones: one by one where they are few, else by sorting."""
    if FEW_SHARE * len(more) < len(rows):
        for row in more:
            insort(rows, row, key=key)
        return
    rows += more
    rows.sort(key=key)


def bits_of(mask: int) -> Iterator[int]:
    """Yield the numbers of a mask's bits; for the mask of everywhere, -1."""
    if mask == EVERYWHERE:
        yield EVERYWHERE
        return
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _bounds(rows: list[Row], value: float, width: float) -> tuple[int, int]:
    """Return the places of the first row within a width of a value and of the first one behind."""
    if width == INFINITE:
        return 0, len(rows)
    slack = width + SLACK * (1.0 + abs(width) + abs(value))
    low = bisect_left(rows, (value - slack,))
    return low, bisect_right(rows, (value + slack, LAST), lo=low)


def _first(row: tuple[tuple[float, str], Waiting]) -> tuple[float, str]:
    return row[0]


def _first_two(row: Row) -> tuple[float, tuple[float, str]]:
    return row[0], row[1]
