"""Why a ticket still waits: which rule refuses how many of the others, how near the nearest of them was, and what trials say.

A pair of tickets is refused by a rule when no further player could make it hold. Rules that only a complete match can tell
about are counted in trial matches instead. Plain values, for people to read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apitrail.flexmatch.checks import Check
from apitrail.flexmatch.checks_others import latency_locations
from apitrail.flexmatch.finder import Finder
from apitrail.flexmatch.party import Party
from apitrail.flexmatch.plan import Plan, Plans
from apitrail.flexmatch.ruleset import Latency, Rule, RuleSet
from apitrail.flexmatch.search import Effort
from apitrail.flexmatch.shelf import SLACK, Shelf
from apitrail.flexmatch.tickets import RuleCount, Ticket
from apitrail.flexmatch.waiting import Waiting

TRIALS_MAX = 2_000
TEAMS_PER_CLASS = 2
TEAMS_MAX = 8


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """What one rule has to do with a ticket's waiting.

    alone: why the ticket itself cannot pass, or None. refused: other tickets that can be in no match with it. nearest: of
    those the one that misses by the least, and miss by how much, in the rule's own unit; None where that cannot be said.
    passed, failed: in trial matches with the ticket.
    """

    rule: str
    type: str
    alone: str | None
    refused: int
    nearest: str | None
    miss: float | None
    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a ticket waits. summary: in a sentence.

    level: the number of the expansion step that holds for it, 0 before the first; expands_at: when the next one comes, epoch
    seconds. others: tickets that wait beside it; possible: those that no rule refuses. players_needed: the least players
    of a match; players_missing: how many more than all possible ones together are needed. match: the tickets of the match
    that the next pass would find, if there is one.
    """

    ticket_id: str
    summary: str
    age_s: float
    level: int
    expands_at: float | None
    others: int
    possible: int
    players_needed: int
    players_missing: int
    rules: tuple[RuleFinding, ...]
    match: tuple[str, ...] | None


def explain(rules: RuleSet, tickets: Sequence[Ticket], ticket_id: str, now: float) -> Explanation:
    """Return why a ticket among others has not been matched. now: epoch seconds. Raises: KeyError for an unknown ticket."""
    return _Case(rules, tickets, ticket_id, now).explanation()


@dataclass(slots=True)
class _Refusals:
    count: int = 0
    nearest: str | None = None
    miss: float | None = None

    def add(self, ticket_id: str, miss: float | None) -> None:
        self.count += 1
        if miss is not None and (self.miss is None or miss < self.miss):
            self.nearest, self.miss = ticket_id, miss


class _Case:
    """One ticket and those that wait beside it."""

    def __init__(self, rules: RuleSet, tickets: Sequence[Ticket], ticket_id: str, now: float) -> None:
        self._plans = Plans(rules)
        self._finder = Finder(self._plans, 0)
        self._now = now
        known = {ticket.id: self._waiting(ticket) for ticket in tickets}
        self._asked = known.pop(ticket_id)
        self._others = [waiting for waiting in known.values() if not waiting.is_backfill]
        self._plan = self._plans.plans[self._asked.level]
        self._refusals = {check.name: _Refusals() for check in self._plan.checks}

    def explanation(self) -> Explanation:
        asked, thresholds = self._asked, self._plans.thresholds
        alone = {check.name: self._alone(check) for check in self._plan.checks}
        possible = [other for other in self._others if not any(alone.values()) and self._is_possible(other)]
        needed = self._plan.level.players_min
        missing = max(needed - asked.count - sum(other.count for other in possible), 0)
        match, counts = self._trial(possible)
        level = asked.level
        return Explanation(
            ticket_id=asked.ticket.id,
            summary=_summary(alone, self._refusals, missing, counts, match),
            age_s=self._now - asked.ticket.started_at,
            level=level,
            expands_at=asked.ticket.started_at + thresholds[level + 1] if level + 1 < len(thresholds) else None,
            others=len(self._others),
            possible=len(possible),
            players_needed=needed,
            players_missing=missing,
            rules=tuple(self._finding(rule, alone, counts) for rule in self._plan.level.rules),
            match=match,
        )

    def _waiting(self, ticket: Ticket) -> Waiting:
        waiting = Waiting(ticket, self._plans, self._finder.locations)
        waiting.due, waiting.level = True, self._plans.level_at(self._now - ticket.started_at)
        return waiting

    def _finding(self, rule: Rule, alone: dict[str, str | None], counts: dict[str, RuleCount]) -> RuleFinding:
        refusals, count = self._refusals.get(rule.name, _Refusals()), counts[rule.name]
        check = self._plan.by_name.get(rule.name)
        kind = check.type if check is not None else "sort"
        own = alone.get(rule.name)
        return RuleFinding(
            rule.name, kind, own, refusals.count, refusals.nearest, refusals.miss, count.passed, count.failed
        )

    def _alone(self, check: Check) -> str | None:
        """Return why the ticket cannot pass a rule whoever else there is, or None."""
        plan, party = self._plan, self._asked.party
        teams = range(len(plan.mins))
        if all(_lacks(check, party, team) for team in teams):
            return "A player lacks an attribute that the rule needs and that has no default."
        if all(_breaks_limit(check, party, team) for team in teams):
            return "The players' own values break the rule."
        rule = _latency_rule(plan, check)
        if rule is not None and latency_locations(rule, [party]) == set():
            return f"No location is within {rule.max_latency:g} ms of all players."
        return None

    def _is_possible(self, other: Waiting) -> bool:
        """Return whether another ticket can be in a match with the one asked about; note which rules refuse it."""
        refused = False
        for check in self._plan.checks:
            if self._refuses(check, other):
                refused = True
                self._refusals[check.name].add(other.ticket.id, self._miss(check, other))
        return not refused

    def _refuses(self, check: Check, other: Waiting) -> bool:
        asked, plan = self._asked.party, self._plan
        if all(
            _lacks(check, other.party, team) or _breaks_limit(check, other.party, team)
            for team in range(len(plan.mins))
        ):
            return True
        if any(_is_apart(asked.values[span.slot], other.values[span.slot], span.width) for span in check.spans):
            return True
        rule = _latency_rule(plan, check)
        if rule is not None:
            near = [latency_locations(rule, [party]) for party in (asked, other.party)]
            known = [places for places in near if places is not None]
            return bool(known) and not set.intersection(*known)
        prune = check.prune
        return prune is not None and not any(prune(teams) for teams in self._pairs(other))

    def _miss(self, check: Check, other: Waiting) -> float | None:
        """Return by how much a pair breaks a rule at the least, or None."""
        miss = check.miss
        found = [] if miss is None else [miss(teams) for teams in self._pairs(other)]
        known = [value for value in found if value is not None and value > 0]
        return min(known, default=None)

    def _pairs(self, other: Waiting) -> Iterator[list[list[Party]]]:
        """Yield the ways in which two tickets can be in teams, without those that are alike."""
        classes = self._plan.classes
        chosen = [team for team, mark in enumerate(classes) if classes[: team + 1].count(mark) <= TEAMS_PER_CLASS][
            :TEAMS_MAX
        ]
        for one in chosen:
            for two in chosen:
                teams: list[list[Party]] = [[] for _ in classes]
                teams[one].append(self._asked.party)
                teams[two].append(other.party)
                yield teams

    def _trial(self, possible: Sequence[Waiting]) -> tuple[tuple[str, ...] | None, dict[str, RuleCount]]:
        """Look for a match with the ticket as the anchor; return its tickets or None, and how rules fared on the way."""
        asked, shelf = self._asked, Shelf()
        for waiting in (*possible, *(() if asked.is_backfill else (asked,))):
            shelf.add(waiting)
        shelf.merge()
        asked.counts = [[0, 0] for _ in self._plan.names]
        proposal = self._finder.find(asked, shelf, Effort(asked.counts, _never, TRIALS_MAX))
        counts = zip(self._plan.names, asked.counts, strict=True)
        by_rule = {name: RuleCount(name, passed, failed) for name, (failed, passed) in counts}
        return None if proposal is None else proposal.tickets, by_rule


def _summary(
    alone: dict[str, str | None],
    refusals: dict[str, _Refusals],
    missing: int,
    counts: dict[str, RuleCount],
    match: tuple[str, ...] | None,
) -> str:
    own = next(((name, reason) for name, reason in alone.items() if reason), None)
    if own is not None:
        return f"Rule {own[0]} can never pass with this ticket. {own[1]}"
    if match is not None:
        return "A match is possible; the next pass can propose it."
    worst = max(refusals, key=lambda name: refusals[name].count, default=None)
    if missing and worst is not None and refusals[worst].count:
        return f"{_needed(missing)}; rule {worst} refuses {refusals[worst].count} of the other tickets."
    if missing:
        return f"{_needed(missing)}."
    failing = max(counts.values(), key=lambda count: count.failed, default=None)
    if failing is not None and failing.failed:
        return f"Enough players wait, but rule {failing.rule} failed in {failing.failed} trial matches."
    return "Enough players wait, but their parties do not fit into the teams."


def _needed(count: int) -> str:
    return "1 more player is needed" if count == 1 else f"{count} more players are needed"


def _lacks(check: Check, party: Party, team: int) -> bool:
    return any(team in teams and party.values[slot] is None for teams, slot in check.needs)


def _breaks_limit(check: Check, party: Party, team: int) -> bool:
    return any(
        team in limit.teams and party.values[limit.slot] is not None and not limit.allows(party.values[limit.slot])
        for limit in check.limits
    )


def _is_apart(one: object, other: object, width: float) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) > width + SLACK * (1.0 + abs(one) + abs(other))
    return one is not None and other is not None and one != other


def _latency_rule(plan: Plan, check: Check) -> Latency | None:
    return next((rule for rule in plan.latency if rule.name == check.name), None)


def _never() -> bool:
    return False
