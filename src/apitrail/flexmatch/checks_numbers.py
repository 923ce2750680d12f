"""Rules about numbers and single texts, compiled: comparison, distance, batchDistance.

Source: FlexMatch developer guide, rule types.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from apitrail.flexmatch.checks import Check, Compiler, Limit, Span, applied_to_plain, plain_path
from apitrail.flexmatch.ruleset import Apply, BatchDistance, Comparison, Constant, Distance, Expression, Measured, Path
from apitrail.flexmatch.values import Teams, compile_expression, compile_values

OPERATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}


def comparison(compiler: Compiler, rule: Comparison) -> Check:
    """Compile a comparison: of all measured values with the reference, or with each other."""
    values = compile_values(rule.measurements, compiler.slots, rule.aggregation)
    if rule.reference is None:
        return _mutual(compiler, rule, values)
    reference = compile_expression(rule.reference.expression, compiler.slots, rule.aggregation)
    compare = OPERATIONS[rule.operation]

    def passes(teams: Teams) -> bool:
        against = reference(teams)
        return against is None or all(compare(value, against) for value in values(teams))

    check = compiler.base(rule, "comparison", passes, [*rule.measurements, rule.reference])
    check.miss = _miss_of_comparison(values, reference, compare)
    constant = rule.reference.expression
    if isinstance(constant, Constant):
        check.limits = _comparison_limits(compiler, rule, constant.value)
        if rule.operation in ("<", "<=") and all(_grows(item.expression) for item in rule.measurements):
            check.prune = passes
    return check


def _mutual(compiler: Compiler, rule: Comparison, values: Callable[[Teams], list[Any]]) -> Check:
    """Compile a comparison of measured values with each other: all are equal, or all are different."""
    equal = rule.operation == "="

    def passes(teams: Teams) -> bool:
        found = values(teams)
        return len(set(found)) <= 1 if equal else len(set(found)) == len(found)

    check = compiler.base(rule, "comparison", passes, rule.measurements)
    paths = [plain_path(item.expression) for item in rule.measurements]
    if all(path is not None for path in paths):
        check.prune = passes
    if equal and len(paths) == 1 and (path := paths[0]) is not None and path.kind == "attribute":
        depth = int(path.nested) + 1
        is_plain = rule.measurements[0].depth <= depth and not compiler.slots.is_list(path.attribute)
        if is_plain and frozenset(path.teams) == compiler.everybody:
            is_text = rule.measurements[0].base == "string"
            check.spans = [Span(compiler.slots.number(path.attribute, rule.aggregation), 0.0, is_text)]
    return check


def _comparison_limits(compiler: Compiler, rule: Comparison, constant: Any) -> list[Limit]:
    """Return what a comparison with a constant asks of each party alone."""
    compare = OPERATIONS[rule.operation]
    extremes = {">": ("min",), ">=": ("min",), "<": ("max",), "<=": ("max",)}.get(rule.operation, ())
    found = []
    for item in rule.measurements:
        path = plain_path(item.expression) or _extreme_of(item.expression, extremes)
        if path is None or path.kind != "attribute" or compiler.slots.is_list(path.attribute):
            continue
        slot = compiler.slots.number(path.attribute, rule.aggregation)
        found.append(Limit(frozenset(path.teams), slot, lambda value: compare(value, constant)))
    return found


def _extreme_of(expression: Expression, functions: Sequence[str]) -> Path | None:
    """Return the path of which an expression takes the least or greatest value, of all or of each team."""
    if isinstance(expression, Apply) and expression.function in functions:
        return plain_path(expression.argument)
    return None


def _grows(expression: Expression) -> bool:
    """Return whether an expression only grows with further players: it counts them or what they bring."""
    if not isinstance(expression, Apply) or expression.function != "count":
        return False
    return plain_path(expression.argument) is not None


def _miss_of_comparison(
    values: Callable[[Teams], list[Any]], reference: Callable[[Teams], Any], compare: Callable[[Any, Any], bool]
) -> Callable[[Teams], float | None]:
    def miss(teams: Teams) -> float | None:
        against = reference(teams)
        wrong = [] if against is None else [value for value in values(teams) if not compare(value, against)]
        if any(isinstance(value, str) for value in wrong):
            return None
        return max((abs(value - against) for value in wrong), default=0.0)

    return miss


def distance(compiler: Compiler, rule: Distance) -> Check:
    """Compile a distance: of all measured values from the reference."""
    values = compile_values(rule.measurements, compiler.slots, rule.aggregation)
    reference = compile_expression(rule.reference.expression, compiler.slots, rule.aggregation)
    low = rule.min_distance if rule.min_distance is not None else 0.0
    high = rule.max_distance if rule.max_distance is not None else float("inf")

    def passes(teams: Teams) -> bool:
        against = reference(teams)
        if against is None:
            return True
        return all(low <= abs(value - against) <= high for value in values(teams))

    def miss(teams: Teams) -> float | None:
        against = reference(teams)
        far = [] if against is None else [abs(value - against) for value in values(teams)]
        return max((max(value - high, low - value, 0.0) for value in far), default=0.0)

    check = compiler.base(rule, "distance", passes, [*rule.measurements, rule.reference])
    check.miss = miss
    check.limits = _distance_limits(compiler, rule, low, high)
    if rule.max_distance is not None:
        check.spans = [span for item in rule.measurements for span in _spans(compiler, rule, item, rule.max_distance)]
    return check


def _distance_limits(compiler: Compiler, rule: Distance, low: float, high: float) -> list[Limit]:
    """Return what a distance from a constant asks of each party alone."""
    constant = rule.reference.expression
    if not isinstance(constant, Constant):
        return []
    middle: Any = constant.value
    found = []
    for item in rule.measurements:
        path = plain_path(item.expression)
        if path is not None and path.kind == "attribute":
            slot = compiler.slots.number(path.attribute, rule.aggregation)
            found.append(Limit(frozenset(path.teams), slot, lambda value: low <= abs(value - middle) <= high))
    return found


MIDDLES = ("avg", "median")
ENDS = ("min", "max")


def _spans(compiler: Compiler, rule: Distance, measured: Measured, width: float) -> Iterator[Span]:
    """Yield the span that follows when values of all players are kept near to their own average, least or greatest.

    Each is at most width from the middle, so two are at most twice that apart; from an end, at most width.
    """
    reference = rule.reference.expression
    path = plain_path(measured.expression)
    if path is not None:
        middle, end = applied_to_plain(reference, MIDDLES), applied_to_plain(reference, ENDS)
        if _same(compiler, path, middle):
            yield Span(compiler.slots.number(path.attribute, rule.aggregation), 2 * width)
        elif _same(compiler, path, end):
            yield Span(compiler.slots.number(path.attribute, rule.aggregation), width)
        return
    one, other = applied_to_plain(measured.expression, ENDS), applied_to_plain(reference, ENDS)
    if one is not None and _same(compiler, one, other) and _function(measured.expression) != _function(reference):
        yield Span(compiler.slots.number(one.attribute, rule.aggregation), width)


def _same(compiler: Compiler, one: Path, other: Path | None) -> bool:
    """Return whether two paths are about the same attribute of all players."""
    return (
        other is not None
        and one.kind == other.kind == "attribute"
        and one.attribute == other.attribute
        and frozenset(one.teams) == frozenset(other.teams) == compiler.everybody
    )


def _function(expression: Expression) -> str:
    return expression.function if isinstance(expression, Apply) else ""


def batch_distance(compiler: Compiler, rule: BatchDistance) -> Check:
    """Compile a batch distance: the values of all parties lie within a width, or are equal."""
    slot = compiler.slots.number(rule.attribute, rule.aggregation)
    width = rule.max_distance

    def values_of(teams: Teams) -> list[Any]:
        return [value for team in teams for party in team if (value := party.values[slot]) is not None]

    def passes(teams: Teams) -> bool:
        values = values_of(teams)
        return len(set(values)) <= 1 if width is None else not values or max(values) - min(values) <= width

    def miss(teams: Teams) -> float | None:
        values = values_of(teams)
        if width is None:
            return None
        return max(max(values) - min(values) - width, 0.0) if values else 0.0

    check = Check(rule.name, "batchDistance", passes, passes, needs=[(compiler.everybody, slot)], miss=miss)
    check.spans = [Span(slot, 0.0, True) if width is None else Span(slot, width)]
    return check
