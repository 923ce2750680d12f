"""The strategy `balanced`: choose who plays, then spread them so that the teams' sums of one attribute are alike.

Large matches gather in one location: the one where most wait, or the one that is fastest for the anchor. Source: FlexMatch
developer guide, large matches. Inferred: the order in which parties are spread, and what is tried when a rule fails.
"""

from collections.abc import Iterator, Sequence

from apitrail.flexmatch.candidates import Candidates
from apitrail.flexmatch.match import Common, Match
from apitrail.flexmatch.party import Party
from apitrail.flexmatch.search import Effort
from apitrail.flexmatch.waiting import EVERYWHERE, Waiting

TRIES_MAX = 200


def balance(match: Match, found: Candidates, effort: Effort, places: Sequence[int], slot: int | None) -> bool:
    """Return whether a match was found, in one of some locations (their bits, the best first).

    slot: of the value whose sums shall be alike. A search in vain proves nothing.
    """
    for bit in places:
        chosen = _choose(match, found, effort, bit)
        for tried in _variations(chosen, found, match):
            if effort.is_over() or not effort.take():
                effort.late = True
                return False
            if _spread(match, tried, slot) and match.is_complete() and match.passes(effort.counts):
                return True
    return False


def _choose(match: Match, found: Candidates, effort: Effort, bit: int) -> list[Waiting]:
    """Return the first candidates that share a location and values with all others, as many as may play."""
    if not match.begin() or not _belongs(match.anchor, bit):
        return []
    members, common = list(match.members), match.common
    if not members:
        shared = match.joined(match.anchor)
        if shared is None:
            return []
        members, common = [match.anchor], shared
    count, number = sum(waiting.count for waiting in members), 0
    while count < match.limit and effort.look() and (waiting := found.at(number)) is not None:
        number += 1
        if count + waiting.count > match.limit or not _belongs(waiting, bit):
            continue
        shared = match.extended(common, members, waiting)
        if shared is not None:
            members.append(waiting)
            count, common = count + waiting.count, shared
    return members[1:] if match.anchor.is_backfill else members


def _belongs(waiting: Waiting, bit: int) -> bool:
    return bit == EVERYWHERE or bool(waiting.wide >> bit & 1)


def _variations(chosen: list[Waiting], found: Candidates, match: Match) -> Iterator[list[Waiting]]:
    """Yield the choice, then smaller ones without the last, then ones in which another takes one's place."""
    least = match.plan.level.players_min - match.players
    for length in range(len(chosen), 0, -1):
        if sum(waiting.count for waiting in chosen[:length]) >= least:
            yield chosen[:length]
    number, tries = 0, 0
    while chosen and tries < TRIES_MAX and (waiting := found.at(number)) is not None:
        number += 1
        if waiting in chosen:
            continue
        for place in range(len(chosen) - 1, 0, -1):
            tries += 1
            yield [*chosen[:place], *chosen[place + 1 :], waiting]


def _spread(match: Match, chosen: Sequence[Waiting], slot: int | None) -> bool:
    """Put tickets into teams, the weightiest first, each into the lightest team that takes it; return whether all fit."""
    if not match.begin():
        return False
    for waiting in sorted(chosen, key=lambda waiting: (-_weight_of(waiting.party, slot), waiting.key)):
        common = match.joined(waiting)
        if common is None or not _to_lightest(match, waiting, common, slot):
            return False
    return True


def _to_lightest(match: Match, waiting: Waiting, common: Common, slot: int | None) -> bool:
    plan = match.plans.plans[common.level]
    fits = match.choices(waiting, plan)
    fits.sort(key=lambda team: (match.sizes[team] >= plan.mins[team], _sum(match, team, slot), -plan.maxs[team], team))
    return any(match.place(waiting, team, common) for team in fits)


def _sum(match: Match, team: int, slot: int | None) -> float:
    return sum(_weight_of(party, slot) for party in match.teams[team])


def _weight_of(party: Party, slot: int | None) -> float:
    value = None if slot is None else party.values[slot]
    return 0.0 if value is None else party.count * float(value)
