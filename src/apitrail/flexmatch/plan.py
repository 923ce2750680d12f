"""A rule set ready to match with: each level compiled once, when it is first needed.

A level is what holds from a waiting time on. Which level counts for a match follows from its newest ticket, or its
oldest; `reachable` says which levels a match with a given ticket may end at.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from apitrail.flexmatch import checks_lists, checks_numbers, checks_others
from apitrail.flexmatch.checks import Check, Compiler, Span, paths_in, plain_path
from apitrail.flexmatch.party import Party, Slots
from apitrail.flexmatch.ruleset import (
    BatchDistance,
    CollectionRule,
    Comparison,
    Compound,
    Distance,
    Latency,
    Level,
    Rule,
    RuleSet,
    Sort,
)

INFINITE = float("inf")
KEPT_UP = ("latency", "batchDistance")
"""Types of rules whose prune need not be called, since a match keeps up what its members share."""

COMPILERS: Mapping[type[Any], Callable[[Compiler, Any], Check]] = {
    Comparison: checks_numbers.comparison,
    Distance: checks_numbers.distance,
    CollectionRule: checks_lists.collection,
    Latency: checks_others.latency,
    BatchDistance: checks_numbers.batch_distance,
}


class Plan:
    """One level, compiled.

    mins, maxs: sizes of the teams. checks: of all rules that must hold by themselves, in the order of the document; numbers:
    their places there. spans: what all values of a match keep within. latency: the latency rules among them,
    variant their number in Plans.latencies.
    is_mixed: several of these, so that locations must be compared. prunes: checks that can refuse a match before it is complete.
    """

    def __init__(self, level: Level, number: int, slots: Slots) -> None:
        self.number = number
        self.level = level
        self.mins = [team.min_players for team in level.teams]
        self.maxs = [team.max_players for team in level.teams]
        self.players_max = level.players_max
        compiled = _compiled(level.rules, Compiler(slots, len(level.teams)))
        self.by_name = compiled
        inside = {name for rule in level.rules if isinstance(rule, Compound) for name in rule.parts}
        self.names = [rule.name for rule in level.rules]
        self.checks = [check for name, check in compiled.items() if name not in inside]
        self.numbers = [self.names.index(check.name) for check in self.checks]
        self.latency = tuple(rule for rule in level.rules if isinstance(rule, Latency) and rule.name not in inside)
        self.variant = 0
        self.is_mixed = len(self.latency) > 1 and any(rule.max_distance is not None for rule in self.latency)
        self.spans: list[Span] = [span for check in self.checks for span in check.spans]
        self.prunes = [check.prune for check in self.checks if check.prune is not None and check.type not in KEPT_UP]
        self.limits = [limit for check in self.checks for limit in check.limits]
        self.needs = [need for check in compiled.values() for need in check.needs]
        self.is_free = all(check.free for check in self.checks)

    @cached_property
    def classes(self) -> list[int]:
        """For each team the first one that is like it in every rule and size, so that either may be filled first."""
        paths = [path for check in self.checks for path in check.paths]
        marks = [
            (self.mins[team], self.maxs[team], tuple(team in path.teams for path in paths))
            for team in range(len(self.mins))
        ]
        alone = {path.teams[0] for path in paths if len(path.teams) == 1}
        return [team if team in alone else marks.index(marks[team]) for team in range(len(self.mins))]

    def allowed_teams(self, party: Party) -> int:
        """Return the teams that a party may be in by its own values, one bit each."""
        allowed = 0
        for team in range(len(self.mins)):
            fits = all(party.values[slot] is not None for teams, slot in self.needs if team in teams)
            if fits and all(_allows(limit, team, party) for limit in self.limits):
                allowed |= 1 << team
        return allowed


def _allows(limit: Any, team: int, party: Party) -> bool:
    value = party.values[limit.slot]
    return team not in limit.teams or value is None or bool(limit.allows(value))


def _compiled(rules: Sequence[Rule], compiler: Compiler) -> dict[str, Check]:
    checks: dict[str, Check] = {}
    for rule in rules:
        if isinstance(rule, Compound):
            checks[rule.name] = checks_others.compound(rule, checks)
        elif not isinstance(rule, Sort):
            checks[rule.name] = COMPILERS[type(rule)](compiler, rule)
    return checks


class Plans:
    """All levels of a rule set.

    slots: the values that parties hold for it. thresholds: from which age each level is. newest: the newest ticket of a match
    decides about its level. primary, equal: see there. latencies: the different sets of latency rules. is_steady: the sizes of
    teams are the same at all levels.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.slots = Slots(rules.attributes)
        self.thresholds = [level.wait_s for level in rules.levels]
        self.newest = rules.algorithm.expansion_age == "newest"
        self.plans = [Plan(level, number, self.slots) for number, level in enumerate(rules.levels)]
        self.balanced_slot = _balanced_slot(rules, self.slots)
        self.primary = self._primary()
        self.equal = self._equal()
        self.is_steady = all(plan.level.teams == self.plans[0].level.teams for plan in self.plans)
        self.latencies = tuple(dict.fromkeys(plan.latency for plan in self.plans))
        for plan in self.plans:
            plan.variant = self.latencies.index(plan.latency)
        self.team_numbers = {team.name: number for number, team in enumerate(rules.teams)}

    def level_at(self, age: float) -> int:
        """Return the level of a ticket of an age."""
        return max(bisect_right(self.thresholds, age) - 1, 0)

    def join(self, level: int, other: int) -> int:
        """Return the level of a match of tickets of two levels."""
        return min(level, other) if self.newest else max(level, other)

    def reachable(self, level: int) -> range:
        """Return the levels that a match with a ticket of a level may have."""
        return range(level + 1) if self.newest else range(level, len(self.plans))

    def width(self, level: int) -> float:
        """Return how far from a ticket's value of the primary slot others can be in a match with it; endless: anywhere."""
        return max(self._widths[number] for number in self.reachable(level))

    @cached_property
    def width_max(self) -> float:
        """The greatest width of any level."""
        return max(self._widths)

    @cached_property
    def _widths(self) -> list[float]:
        return [
            min((span.width for span in plan.spans if span.slot == self.primary and not span.is_text), default=INFINITE)
            for plan in self.plans
        ]

    def _primary(self) -> int | None:
        """Return the slot whose span keeps candidates apart at the most levels, or None."""
        slots = [span.slot for plan in self.plans for span in plan.spans if not span.is_text]
        return max(slots, key=slots.count) if slots else None

    def _equal(self) -> tuple[int, ...]:
        """Return the slots whose texts are equal throughout a match at every level."""
        sets = [{span.slot for span in plan.spans if span.is_text} for plan in self.plans]
        return tuple(sorted(set.intersection(*sets)))


def _balanced_slot(rules: RuleSet, slots: Slots) -> int | None:
    """Return the value by which teams are to be alike: as the algorithm says, else as a distance rule implies, else none."""
    name = rules.algorithm.balanced_attribute
    if name is not None:
        return slots.number(name, "avg")
    for rule in rules.levels[0].rules:
        if isinstance(rule, Distance) and rule.max_distance is not None:
            paths = [path for item in rule.measurements for path in paths_in(item.expression)]
            apart = any(path.nested or len(path.teams) < len(rules.teams) for path in paths)
            plain = any(plain_path(item.expression) is not None for item in rule.measurements)
            numbers = [path for path in paths if path.kind == "attribute"]
            if apart and numbers and not plain:
                return slots.number(numbers[0].attribute, rule.aggregation)
    return None
