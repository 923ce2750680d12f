"""Finding a match for one anchor: the quick reasons why there is none, then the search of the rule set's strategy."""

from collections.abc import Callable

from apitrail.flexmatch.balance import balance
from apitrail.flexmatch.candidates import Candidates, candidates
from apitrail.flexmatch.match import Match
from apitrail.flexmatch.order import arranger
from apitrail.flexmatch.plan import INFINITE, Plans
from apitrail.flexmatch.search import Effort, Search
from apitrail.flexmatch.shelf import Shelf
from apitrail.flexmatch.tickets import Proposal, RuleCount
from apitrail.flexmatch.waiting import EVERYWHERE, Locations, Waiting

NEAR_SHARE = 0.25
"""Whoever is within this share of the width is near; all such keep the rule that the width comes from, in most cases."""

NEAR_TRY = 200
FIRST_TRY = 400

Counts = list[list[int]] | None
Row = Callable[..., Candidates]


class Finder:
    """Finds matches by one rule set. locations: the bits of those that tickets report."""

    def __init__(self, plans: Plans, open_slots: int) -> None:
        self._plans = plans
        self._arrange = arranger(plans)
        self._open_slots = open_slots
        self._is_balanced = plans.rules.algorithm.strategy == "balanced"
        self.locations = Locations()

    def find(self, anchor: Waiting, shelf: Shelf | None, effort: Effort) -> Proposal | None:
        """Return a match of an anchor with tickets of its shelf, or None.

        None with effort left over means that there is no such match among tickets that are due.
        """
        places = [] if shelf is None else self._places(anchor, shelf)
        if shelf is None or not places:
            return None
        match = Match(self._plans, self.locations, anchor, self._open_slots)
        mask = EVERYWHERE if places == [EVERYWHERE] else sum(1 << bit for bit in places)
        allowed = _is_here if anchor.is_backfill else _is_due
        width = self._width(anchor)

        def row(share: float = 1.0) -> Candidates:
            return candidates(shelf, anchor, width * share, mask, allowed, self._arrange)

        if self._is_balanced:
            is_found = balance(match, row(), effort, places, self._plans.balanced_slot)
            effort.left = min(effort.left, 0)
        else:
            is_found = self._search(match, row, effort, places, single=shelf.party_max == 1)
        return self._proposal(match) if is_found else None

    def _search(self, match: Match, row: Row, effort: Effort, places: list[int], *, single: bool) -> bool:
        """Try the ways to find a match one after another, those first that lead somewhere soon in a pool with many tickets.

        Near the anchor; in the order of candidates; with teams made alike; those nearest to the anchor first.
        """
        total, slot = effort.left, self._plans.balanced_slot
        has_window = self._width(match.anchor) < INFINITE
        if has_window and self._arrange is None:
            effort.left = min(total, NEAR_TRY)
            if Search(match, row(NEAR_SHARE), effort, single=single).run() or effort.late:
                return not effort.late
        effort.left = min(total, FIRST_TRY)
        found = row()
        if Search(match, found, effort, single=single).run():
            return True
        if effort.left > 0 or effort.late:
            return False
        effort.left = total
        if slot is not None and balance(match, found, effort, places, slot):
            return True
        if effort.late or effort.left <= 0:
            return False
        return Search(match, found.nearest_first(match.anchor) if has_window else found, effort, single=single).run()

    def _width(self, anchor: Waiting) -> float:
        """Return how far others may be from an anchor's value; anywhere from one that has none: a session without players."""
        return INFINITE if anchor.value is None else self._plans.width(anchor.level)

    def _places(self, anchor: Waiting, shelf: Shelf) -> list[int]:
        """Return the locations, as bits, where enough players may be for a match, the best one first."""
        plans = self._plans
        reachable = plans.reachable(anchor.level)
        if not anchor.is_backfill and not any(anchor.allowed(plans.plans[level]) for level in reachable):
            return []
        least = min(plans.plans[level].level.players_min for level in reachable)
        least = max(least - anchor.count, 1) if anchor.is_backfill else least
        counted = shelf.places(anchor, self._width(anchor), anchor.wide)
        enough = [(count, bit) for count, bit in counted if count >= least]
        if plans.rules.algorithm.batching == "fastestRegion":
            return [bit for _, bit in sorted(enough, key=lambda pair: (self._latency(anchor, pair[1]), pair[1]))]
        return [bit for _, bit in sorted(enough, key=lambda pair: (-pair[0], pair[1]))]

    def _latency(self, anchor: Waiting, bit: int) -> float:
        return 0.0 if bit == EVERYWHERE else anchor.party.latency("avg").get(self.locations.names[bit], 0.0)

    def _proposal(self, match: Match) -> Proposal:
        session = match.anchor.ticket.backfill
        teams = zip(match.plan.level.teams, match.teams, strict=True)
        return Proposal(
            tickets=tuple(waiting.ticket.id for waiting in match.members),
            teams={team.name: tuple(id for party in parties for id in party.ids) for team, parties in teams},
            locations=match.places(),
            backfill=None if session is None else session.game_session,
            players_max=match.plan.players_max,
            counts=rule_counts(self._plans, match.anchor.counts),
        )


def rule_counts(plans: Plans, counts: Counts) -> tuple[RuleCount, ...]:
    """Return how often each rule passed and failed, from (failed, passed) by rule; None: never."""
    names = [rule.name for rule in plans.rules.levels[0].rules]
    if counts is None:
        counts = [[0, 0]] * len(names)
    return tuple(RuleCount(name, passed, failed) for name, (failed, passed) in zip(names, counts, strict=True))


def _is_due(waiting: Waiting) -> bool:
    return waiting.due and not waiting.gone


def _is_here(waiting: Waiting) -> bool:
    return not waiting.gone
