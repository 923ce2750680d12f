"""A ticket as it waits in a pool, with everything about it that does not change from pass to pass."""

from collections.abc import Sequence
from typing import Any

from apitrail.flexmatch.party import Party
from apitrail.flexmatch.plan import Plan, Plans
from apitrail.flexmatch.ruleset import Latency
from apitrail.flexmatch.tickets import Ticket

EVERYWHERE = -1
"""The mask of whoever is bound to no location: all bits."""

PER_PARTY_MAX = 200

Key = tuple[float, str]
Parties = list[tuple[Party, int | None]]


class Locations:
    """Gives each location that players report a bit. Bits are never given back; a pool renews them from time to time."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._bits: dict[str, int] = {}

    def bit(self, name: str) -> int:
        """Return the number of a location's bit."""
        if name not in self._bits:
            self._bits[name] = len(self.names)
            self.names.append(name)
        return self._bits[name]

    def mask(self, names: Sequence[str]) -> int:
        """Return the bits of some locations that differ, at most the first 200."""
        return sum(1 << self.bit(name) for name in names[:PER_PARTY_MAX])

    def named(self, mask: int) -> tuple[str, ...] | None:
        """Return the locations of a mask, sorted; None for the mask of everywhere."""
        if mask < 0:
            return None
        return tuple(sorted(name for number, name in enumerate(self.names) if mask >> number & 1))


class Waiting:
    """A ticket in a pool.

    key: its place by age; turn: its place as an anchor; order: its place as a candidate, by age or by chance. masks: where it
    can play, one bit for each location, by set of latency rules; wide: by any of them. party: its players, of a
    backfill ticket its first ones; parties: all, with the number of their team or None. level: of its age. due: it may be
    part of a match that was not possible at the last pass. gone: it has left, or is proposed. in_vain: how often a
    search for it was given up. counts: (failed, passed) by rule, in trials with it as the anchor.
    """

    __slots__ = (
        "_allowed",
        "count",
        "counts",
        "due",
        "gone",
        "in_vain",
        "key",
        "level",
        "masks",
        "order",
        "parties",
        "partition",
        "party",
        "ticket",
        "turn",
        "value",
        "values",
        "wide",
    )

    def __init__(self, ticket: Ticket, plans: Plans, locations: Locations, chance: int | None = None) -> None:
        self.ticket = ticket
        self.key: Key = (ticket.started_at, ticket.id)
        self.parties = _parties(ticket, plans)
        self.party = self.parties[0][0]
        self.count = sum(party.count for party, _ in self.parties)
        self.values = self.party.values
        self.value: Any = None if plans.primary is None else self.values[plans.primary]
        self.partition = tuple(self.values[slot] for slot in plans.equal)
        self.order: tuple[float, str] = self.key if chance is None else (chance, ticket.id)
        self.level = 0
        self.turn: tuple[int, float, str] = (0, *self.key)
        self.due = False
        self.gone = False
        self.in_vain = 0
        self.counts: list[list[int]] | None = None
        self._allowed: dict[int, int] = {}
        self.masks = [_mask_of(self.parties, rules, locations) for rules in plans.latencies]
        self.wide = 0
        for mask in self.masks:
            self.wide |= mask

    @property
    def is_backfill(self) -> bool:
        """Whether the ticket's players are in a game session already."""
        return self.ticket.backfill is not None

    def allowed(self, plan: Plan) -> int:
        """Return the teams that the ticket may join, one bit each, by its own values alone."""
        found = self._allowed.get(plan.number)
        if found is None:
            found = self._allowed[plan.number] = plan.allowed_teams(self.party)
        return found

    def can_stay(self, plan: Plan) -> bool:
        """Return whether the players of a backfill ticket may be in the teams that they are in."""
        return all(number is not None and plan.allowed_teams(party) >> number & 1 for party, number in self.parties)


def _parties(ticket: Ticket, plans: Plans) -> Parties:
    if ticket.backfill is None:
        return [(Party(ticket.players, plans.slots), None)]
    numbers = plans.team_numbers
    found = [(Party((player,), plans.slots, unbound=True), numbers.get(player.team or "")) for player in ticket.players]
    return found or [(Party((), plans.slots, unbound=True), 0)]


def _mask_of(parties: Parties, rules: tuple[Latency, ...], locations: Locations) -> int:
    mask = EVERYWHERE
    for party, _ in parties:
        mask &= _mask(party, rules, locations)
    return mask


def _mask(party: Party, rules: tuple[Latency, ...], locations: Locations) -> int:
    """Return where a party can play: where every latency rule allows, or where its players report a latency."""
    if party.unbound:
        return EVERYWHERE
    if rules:
        mask = EVERYWHERE
        for rule in rules:
            latencies = party.latency(rule.aggregation)
            near = [place for place, value in latencies.items() if value <= rule.max_latency]
            mask &= locations.mask(sorted(near, key=lambda place: (latencies[place], place)))
        return mask
    reported = [set(player.latencies) for player in party.players if player.latencies]
    return locations.mask(sorted(set.intersection(*reported))) if reported else EVERYWHERE
