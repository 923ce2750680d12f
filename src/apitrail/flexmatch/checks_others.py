"""Latency rules and compound rules, compiled.

Source: FlexMatch developer guide, rule types. Players of a session that is filled and who report no latency do not count.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apitrail.flexmatch.checks import Check, Compiler, Passes
from apitrail.flexmatch.party import Party
from apitrail.flexmatch.ruleset import Compound, Latency
from apitrail.flexmatch.values import Teams


def latency(_: Compiler, rule: Latency) -> Check:
    """Compile a latency rule: there is a location near to all."""

    def passes(teams: Teams) -> bool:
        return latency_locations(rule, [party for team in teams for party in team]) != set()

    def miss(teams: Teams) -> float | None:
        parties = [party for team in teams for party in team if not party.unbound]
        common = set.intersection(*(set(party.latency(rule.aggregation)) for party in parties)) if parties else set()
        worst = [max(party.latency(rule.aggregation)[place] for party in parties) for place in common]
        return max(min(worst) - rule.max_latency, 0.0) if worst else None

    return Check(rule.name, "latency", passes, passes if rule.max_distance is None else None, miss=miss)


def latency_locations(rule: Latency, parties: Sequence[Party]) -> set[str] | None:
    """Return the locations that a latency rule allows for parties, or None when none of them is bound to any."""
    maps = [party.latency(rule.aggregation) for party in parties if not party.unbound]
    if not maps:
        return None
    near = [{place for place, value in one.items() if value <= rule.max_latency} for one in maps]
    common = set.intersection(*near)
    if rule.max_distance is None:
        return common
    return {place for place in common if _is_even([one[place] for one in maps], rule)}


def _is_even(values: Sequence[float], rule: Latency) -> bool:
    """Return whether all latencies to a location are near enough to the reference."""
    middle = min(values) if rule.reference == "min" else sum(values) / len(values)
    return rule.max_distance is None or all(abs(value - middle) <= rule.max_distance for value in values)


def compound(rule: Compound, parts: Mapping[str, Check]) -> Check:
    """Compile a logical statement over checks."""
    used = [parts[name] for name in sorted(rule.parts)]
    return Check(
        rule.name,
        "compound",
        _statement(rule.statement, parts),
        needs=[need for part in used for need in part.needs],
        paths=[path for part in used for path in part.paths],
        free=all(part.free for part in used),
    )


def _statement(statement: Any, parts: Mapping[str, Check]) -> Passes:
    if isinstance(statement, str):
        return parts[statement].passes
    operands = [_statement(part, parts) for part in statement[1:]]
    return LOGIC[statement[0]](operands)


def _and(operands: list[Passes]) -> Passes:
    return lambda teams: all(operand(teams) for operand in operands)


def _or(operands: list[Passes]) -> Passes:
    return lambda teams: any(operand(teams) for operand in operands)


def _xor(operands: list[Passes]) -> Passes:
    """Exactly one of the operands. Inferred: for more than two operands the guide says nothing."""
    return lambda teams: sum(operand(teams) for operand in operands) == 1


def _not(operands: list[Passes]) -> Passes:
    return lambda teams: not operands[0](teams)


LOGIC: Mapping[str, Callable[[list[Passes]], Passes]] = {"and": _and, "or": _or, "xor": _xor, "not": _not}
