"""A match while it is put together: who is in which team, and what all of them have in common so far.

A ticket is placed only where it may still become a complete match; what was placed last can be taken back.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from apitrail.flexmatch.checks import Span
from apitrail.flexmatch.checks_others import latency_locations
from apitrail.flexmatch.party import Party
from apitrail.flexmatch.plan import Plan, Plans
from apitrail.flexmatch.shelf import SLACK
from apitrail.flexmatch.waiting import EVERYWHERE, Locations, Waiting

Bounds = tuple[tuple[Any, Any] | None, ...]


class Common(NamedTuple):
    """What the members share. level: of the match. mask: where all can play. bounds: least and greatest value by span."""

    level: int
    mask: int
    bounds: Bounds


class Match:
    """Teams that are being filled.

    plan: the rules at the match's level. teams: the parties in each. sizes: players in each. lacking: players that teams
    still miss. players: in all teams. members: tickets in the order of joining, the anchor first. limit: the most players.
    """

    def __init__(self, plans: Plans, locations: Locations, anchor: Waiting, open_slots: int) -> None:
        self.plans = plans
        self.locations = locations
        self.anchor = anchor
        self.open_slots = open_slots
        self._empty()

    def begin(self) -> bool:
        """Empty the teams, and put the players of a backfill ticket where they are; return whether that is allowed."""
        anchor = self.anchor
        self._empty()
        if not anchor.is_backfill:
            return True
        if not anchor.can_stay(self.plan):
            return False
        common = self._shared([anchor], anchor.level)
        if common is None:
            return False
        for party, number in anchor.parties:
            assert number is not None
            self.teams[number].append(party)
        self.members.append(anchor)
        self.common = common
        self._count()
        return all(size <= most for size, most in zip(self.sizes, self.plan.maxs, strict=True)) and self._holds()

    def joined(self, waiting: Waiting) -> Common | None:
        """Return what all would share with one more ticket, or None when they share too little."""
        return self.extended(self.common, self.members, waiting)

    def extended(self, common: Common, members: Sequence[Waiting], waiting: Waiting) -> Common | None:
        """Return what some tickets, who share this much, would share with one more; None when it is too little."""
        level = self.plans.join(common.level, waiting.level)
        if level != common.level or not members:
            return self._shared([*members, waiting], level)
        plan = self.plans.plans[level]
        mask = common.mask & waiting.masks[plan.variant]
        if not mask:
            return None
        bounds = _wider(common.bounds, plan.spans, waiting.values)
        return None if bounds is None else Common(level, mask, bounds)

    def place(self, waiting: Waiting, team: int, common: Common) -> bool:
        """Put a ticket into a team with room; return whether it may stay, else all is as before."""
        before = self.common
        self.teams[team].append(waiting.party)
        self.members.append(waiting)
        self.placed.append((team, before))
        self._shift(common, team, waiting.count)
        if (common.level == before.level or self._fits_level()) and self._holds():
            return True
        self.undo()
        return False

    def undo(self) -> None:
        """Take the last ticket back."""
        team, before = self.placed.pop()
        waiting = self.members.pop()
        self.teams[team].pop()
        self._shift(before, team, -waiting.count)

    def free(self) -> int:
        """Return how many more players may join."""
        return self.limit - self.players

    def choices(self, waiting: Waiting, plan: Plan) -> list[int]:
        """Return the teams that a ticket could join: first those below their minimum, then by most open slots."""
        allowed, count = waiting.allowed(plan), waiting.count
        fits = [team for team, size in enumerate(self.sizes) if allowed >> team & 1 and size + count <= plan.maxs[team]]
        if len(fits) > 1:
            fits.sort(key=lambda team: self._order(team, plan))
        return fits

    def distinct(self, fits: Sequence[int], plan: Plan) -> list[int]:
        """Return teams without those that make no difference: empty ones that are alike, or any, if no rule looks at teams."""
        seen: set[tuple[int, ...]] = set()
        kept = []
        for team in fits:
            size = self.sizes[team]
            mark = (plan.maxs[team] - size, plan.mins[team] - size) if plan.is_free else (plan.classes[team], -1)
            if plan.is_free or size == 0:
                if mark in seen:
                    continue
                seen.add(mark)
            kept.append(team)
        return kept

    def is_complete(self) -> bool:
        """Return whether no team misses players, and somebody has joined a session that is filled."""
        return self.lacking == 0 and len(self.members) > int(self.anchor.is_backfill)

    def passes(self, counts: list[list[int]]) -> bool:
        """Return whether all rules hold, counting (failed, passed) per rule up to the first that fails."""
        for check, number in zip(self.plan.checks, self.plan.numbers, strict=True):
            holds = check.passes(self.teams)
            counts[number][holds] += 1
            if not holds:
                return False
        return not self.plan.is_mixed or self.places() != ()

    def places(self) -> tuple[str, ...] | None:
        """Return where all can play, sorted; None: nobody has said where."""
        names = self.locations.named(self.common.mask)
        for rule in self.plan.latency:
            if rule.max_distance is not None and names is not None:
                even = latency_locations(rule, [party for team in self.teams for party in team])
                names = names if even is None else tuple(name for name in names if name in even)
        return names

    def _order(self, team: int, plan: Plan) -> tuple[bool, int, int]:
        size = self.sizes[team]
        below = size < plan.mins[team]
        return not below, 0 if below else size - plan.maxs[team], team

    def _holds(self) -> bool:
        return all(prune(self.teams) for prune in self.plan.prunes)

    def _shared(self, members: Sequence[Waiting], level: int) -> Common | None:
        """Return what tickets share at a level, worked out anew."""
        plan = self.plans.plans[level]
        mask, bounds = EVERYWHERE, _no_bounds(plan.spans)
        for waiting in members:
            mask &= waiting.masks[plan.variant]
            for party, _ in waiting.parties:
                wider = _wider(bounds, plan.spans, party.values)
                if wider is None:
                    return None
                bounds = wider
        return Common(level, mask, bounds) if mask else None

    def _shift(self, common: Common, team: int, change: int) -> None:
        """Take over what is shared from now on, and the new number of players of a team."""
        changed = common.level != self.common.level
        self.common = common
        if changed:
            self._resize(self.plans.plans[common.level])
            return
        least, size = self.plan.mins[team], self.sizes[team] + change
        self.lacking += max(least - size, 0) - max(least - size + change, 0)
        self.sizes[team] = size
        self.players += change

    def _empty(self) -> None:
        plan = self.plans.plans[self.anchor.level]
        self.members: list[Waiting] = []
        self.placed: list[tuple[int, Common]] = []
        self.common = Common(plan.number, EVERYWHERE, ())
        self.teams: list[list[Party]] = [[] for _ in plan.mins]
        self.sizes = [0] * len(plan.mins)
        self._resize(plan)

    def _resize(self, plan: Plan) -> None:
        self.plan = plan
        self.limit = plan.players_max - self.open_slots
        self._count()

    def _count(self) -> None:
        self.sizes = [sum(party.count for party in team) for team in self.teams]
        self.players = sum(self.sizes)
        self.lacking = sum(max(least - size, 0) for size, least in zip(self.sizes, self.plan.mins, strict=True))

    def _fits_level(self) -> bool:
        """Return whether everybody may be where they are at the present level."""
        if any(size > most for size, most in zip(self.sizes, self.plan.maxs, strict=True)):
            return False
        joined = self.members[len(self.members) - len(self.placed) :]
        stays = not self.anchor.is_backfill or self.anchor.can_stay(self.plan)
        return stays and all(
            waiting.allowed(self.plan) >> team & 1 for waiting, (team, _) in zip(joined, self.placed, strict=True)
        )


def _no_bounds(spans: Sequence[Span]) -> Bounds:
    return (None,) * len(spans)


def _wider(bounds: Bounds, spans: Sequence[Span], values: Sequence[Any]) -> Bounds | None:
    """Return the least and greatest values with one more party's, or None when a span becomes too wide."""
    if not spans:
        return bounds
    wider = []
    for bound, span in zip(bounds, spans, strict=True):
        value = values[span.slot]
        if value is None:
            return None
        low, high = (value, value) if bound is None else (min(bound[0], value), max(bound[1], value))
        if low != high and (span.is_text or high - low > span.width + SLACK * (1.0 + abs(low) + abs(high))):
            return None
        wider.append((low, high))
    return tuple(wider)
