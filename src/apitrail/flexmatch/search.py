"""The search for a match of an anchor, depth first.

Each candidate is put into a team where it may stay, or left out; the first match in which no team misses players and all
rules hold is taken, and then filled up. Inferred: AWS does not say how it searches.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apitrail.flexmatch.candidates import Candidates
from apitrail.flexmatch.match import Match
from apitrail.flexmatch.waiting import Waiting

FILL_MAX = 2_000
PLACED_PER_LOOK = 128
SEEN_PER_LOOK = 1_024
SEEN_MAX = 200_000

IsOver = Callable[[], bool]


@dataclass(slots=True)
class Effort:
    """What a search may cost and has cost.

    counts: (failed, passed) by rule. left: placements that may still be tried; above 0 after a search in vain: it was
    exhaustive. seen: candidates that were looked at. late: the time of the pass was over.
    """

    counts: list[list[int]]
    is_over: IsOver
    left: int
    late: bool = False
    seen: int = 0

    def take(self) -> bool:
        """Count one placement; return whether it may be made."""
        self.left -= 1
        if self.left % PLACED_PER_LOOK == 0 and self.is_over():
            self.late = True
        return self.left >= 0 and not self.late

    def look(self) -> bool:
        """Count one candidate; return whether it may be looked at."""
        self.seen += 1
        if self.seen % SEEN_PER_LOOK == 0 and self.is_over():
            self.late = True
        if self.seen >= SEEN_MAX:
            self.left = min(self.left, 0)
        return self.left > 0 and not self.late


class Search:
    """Looks for a complete match. single: every candidate is one player, so that teams make no difference to packing."""

    def __init__(self, match: Match, found: Candidates, effort: Effort, *, single: bool) -> None:
        self._match = match
        self._found = found
        self._effort = effort
        self._single = single

    def run(self) -> bool:
        """Return whether a match was found, filled up as far as it can be; it is in the Match."""
        if not self._run():
            return False
        self._fill()
        return True

    def _run(self) -> bool:
        match = self._match
        if not match.begin():
            return False
        if match.anchor.is_backfill:
            return self._join_from(0)
        common = match.joined(match.anchor)
        if common is None:
            return False
        plan = match.plans.plans[common.level]
        for team in match.distinct(match.choices(match.anchor, plan), plan):
            if match.place(match.anchor, team, common):
                if self._is_found() or self._join_from(0):
                    return True
                match.undo()
        return False

    def _fill(self) -> None:
        """Let more candidates join a match that was found, as long as all rules hold.

        A few may join together where one alone would break a rule, such as one that wants teams of equal size.
        """
        effort, together = self._effort, len(self._match.sizes)
        number, tried = 0, list[int]()
        effort.left = min(max(effort.left, 0), FILL_MAX)
        while self._match.free() > 0 and effort.look() and (waiting := self._found.at(number)) is not None:
            number += 1
            if waiting in self._match.members or not self._can_add(waiting):
                continue
            if self._match.passes(effort.counts):
                tried = []
                continue
            tried.append(number)
            if len(tried) == together:
                number = self._give_up(tried)
        self._give_up(tried)

    def _can_add(self, waiting: Waiting) -> bool:
        """Put a ticket into the first team that takes it."""
        match = self._match
        common = match.joined(waiting) if waiting.count <= match.free() else None
        if common is None:
            return False
        plan = match.plans.plans[common.level]
        return any(
            self._effort.take() and match.place(waiting, team, common) and self._stays()
            for team in match.choices(waiting, plan)
        )

    def _stays(self) -> bool:
        """Return whether the match is still complete, which another level can change; else take the last one back."""
        if self._match.is_complete():
            return True
        self._match.undo()
        return False

    def _give_up(self, tried: list[int]) -> int:
        """Take back those that broke a rule; return where to go on, which is behind the first of them."""
        for _ in tried:
            self._match.undo()
        number = tried[0] if tried else 0
        tried.clear()
        return number

    def _join_from(self, number: int) -> bool:
        """Return whether a match is found with candidates from a place on."""
        match, found = self._match, self._found
        if match.plans.is_steady and match.free() <= 0:
            return False
        while self._effort.look() and (waiting := found.at(number)) is not None:
            number += 1
            if waiting.count <= match.free() and self._join(waiting, number):
                return True
            if match.plans.is_steady and found.players_from(number, match.lacking) < match.lacking:
                return False
        return False

    def _join(self, waiting: Waiting, after: int) -> bool:
        """Return whether a match is found with this candidate in it."""
        match = self._match
        common = match.joined(waiting)
        if common is None:
            return False
        plan = match.plans.plans[common.level]
        fits = match.choices(waiting, plan)
        if len(fits) > 1:
            fits = fits[:1] if plan.is_free and self._single else match.distinct(fits, plan)
        for team in fits:
            if not self._effort.take():
                return False
            if match.place(waiting, team, common):
                if self._is_found() or self._join_from(after):
                    return True
                match.undo()
        return False

    def _is_found(self) -> bool:
        return self._match.is_complete() and self._match.passes(self._effort.counts)
