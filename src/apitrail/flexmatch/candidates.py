"""Those who may join an anchor, in the order in which they are tried.

A rule that keeps values together leaves few, found by bisection; otherwise all that wait, read only as far as needed.
"""

from collections.abc import Callable, Iterator
from operator import attrgetter

from apitrail.flexmatch.order import Arrange
from apitrail.flexmatch.plan import INFINITE
from apitrail.flexmatch.shelf import Shelf
from apitrail.flexmatch.waiting import Waiting

Allowed = Callable[[Waiting], bool]
by_order = attrgetter("order")


class Candidates:
    """A row of tickets that is read on only as far as it is asked for."""

    def __init__(self, source: Iterator[Waiting]) -> None:
        self._source = source
        self._known: list[Waiting] = []
        self._left: list[int] | None = None

    def at(self, number: int) -> Waiting | None:
        """Return one ticket, or None behind the last."""
        while number >= len(self._known):
            waiting = next(self._source, None)
            if waiting is None:
                return None
            self._known.append(waiting)
        return self._known[number]

    def players_from(self, number: int, enough: int) -> int:
        """Return how many players there are from a place on; stops counting at enough."""
        if self._left is not None:
            return self._left[number] if number < len(self._left) else 0
        count = 0
        while count < enough:
            waiting = self.at(number)
            if waiting is None:
                self._count()
                return count
            count += waiting.count
            number += 1
        return count

    def nearest_first(self, anchor: Waiting) -> "Candidates":
        """Return all of them, those nearest to the anchor's value first."""
        while self.at(len(self._known)) is not None:
            pass
        middle = anchor.value
        near = sorted(self._known, key=lambda waiting: (abs((waiting.value or 0.0) - middle), waiting.order))
        return Candidates(iter(near))

    def _count(self) -> None:
        """Count players from every place on, now that all are known."""
        count, left = 0, [0] * len(self._known)
        for place in range(len(self._known) - 1, -1, -1):
            count += self._known[place].count
            left[place] = count
        self._left = left


def candidates(
    shelf: Shelf, anchor: Waiting, width: float, mask: int, allowed: Allowed, arrange: Arrange | None
) -> Candidates:
    """Return those of a shelf who may be in a match with an anchor, in the order in which they are tried.

    width: how far their values may be from the anchor's. mask: the locations that are worth a look. allowed: whether a
    ticket may be taken at all, the same for the whole pass.
    """
    if width == INFINITE:
        source = shelf.tickets() if anchor.is_backfill else shelf.scan(allowed)
    else:
        source = filter(allowed, shelf.within(anchor, width, mask))
    found = (waiting for waiting in source if waiting is not anchor and waiting.wide & mask)
    if arrange is not None:
        return Candidates(iter(arrange(anchor, list(found))))
    return Candidates(found if width == INFINITE else iter(sorted(found, key=by_order)))
