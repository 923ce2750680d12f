"""Property expressions compiled to functions of the teams of a match.

A value that cannot be had, such as the average of no players, is None and takes no part. Source: FlexMatch developer guide,
property expressions. Inferred: population standard deviation; the middle of an even number of values is a mean.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from apitrail.flexmatch.party import Party, Slots
from apitrail.flexmatch.ruleset import Apply, Constant, Expression, Measured, Path

Teams = Sequence[Sequence[Party]]
Evaluate = Callable[[Teams], Any]


def compile_values(measurements: Sequence[Measured], slots: Slots, aggregation: str) -> Callable[[Teams], list[Any]]:
    """Return a function that gives all measured single values in one list, without those that cannot be had."""
    parts = [_flat(compile_expression(item.expression, slots, aggregation), item.depth) for item in measurements]
    if len(parts) == 1:
        return parts[0]
    return lambda teams: [value for part in parts for value in part(teams)]


def compile_lists(measured: Measured, slots: Slots, aggregation: str) -> Callable[[Teams], list[list[str]]]:
    """Return a function that gives the measured lists of texts, whatever lists they are in."""
    evaluate = compile_expression(measured.expression, slots, aggregation)
    if measured.depth < 2:
        return lambda teams: [_as_list(evaluate(teams))]
    for _ in range(measured.depth - 2):
        evaluate = _flattened(evaluate)
    return evaluate


def compile_expression(expression: Expression, slots: Slots, aggregation: str) -> Evaluate:
    """Return the function that an expression is."""
    if isinstance(expression, Constant):
        value = list(expression.value) if isinstance(expression.value, tuple) else expression.value
        return lambda teams: value
    if isinstance(expression, Path):
        return _path(expression, slots, aggregation)
    inner = compile_expression(expression.argument, slots, aggregation)
    if expression.function == "flatten":
        return _flattened(inner)
    function = FUNCTIONS[expression.function]
    above = nesting(expression.argument, slots) - (2 if expression.function == "set_intersection" else 1)
    for _ in range(above):
        function = _each(function)
    return lambda teams: function(inner(teams))


def nesting(expression: Expression, slots: Slots) -> int:
    """Return how many levels of lists an expression's result has."""
    if isinstance(expression, Constant):
        return int(isinstance(expression.value, tuple))
    if isinstance(expression, Apply):
        return nesting(expression.argument, slots) - 1
    if expression.kind == "teams":
        return int(expression.nested)
    lists = expression.kind == "attribute" and slots.is_list(expression.attribute)
    return int(expression.nested) + 1 + int(lists)


def _path(path: Path, slots: Slots, aggregation: str) -> Evaluate:
    numbers = path.teams
    if path.kind == "teams":
        return lambda teams: list(numbers)
    one = _of_team(path, slots, aggregation)
    if path.nested:
        return lambda teams: [one(teams[number]) for number in numbers]
    if len(numbers) == 1:
        (only,) = numbers
        return lambda teams: one(teams[only])
    return lambda teams: [value for number in numbers for value in one(teams[number])]


def _of_team(path: Path, slots: Slots, aggregation: str) -> Callable[[Sequence[Party]], list[Any]]:
    """Return what a path takes out of one team."""
    if path.kind in ("players", "ids"):
        return lambda team: [id for party in team for id in party.ids]
    slot = slots.number(path.attribute, aggregation)
    return lambda team: [value for party in team if (value := party.values[slot]) is not None]


def _flat(evaluate: Evaluate, depth: int) -> Callable[[Teams], list[Any]]:
    if depth == 0:
        return lambda teams: [] if (value := evaluate(teams)) is None else [value]
    for _ in range(depth - 1):
        evaluate = _flattened(evaluate)
    return lambda teams: [value for value in evaluate(teams) if value is not None]


def _flattened(evaluate: Evaluate) -> Evaluate:
    return lambda teams: [value for values in evaluate(teams) if values is not None for value in values]


def _each(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [function(value) for value in values]


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else list(value)


def _known(values: Sequence[float | None]) -> Iterator[float]:
    return (value for value in values if value is not None)


def _over(function: Callable[[list[float]], float]) -> Callable[[Any], float | None]:
    """Return a function of lists that has no value for an empty one."""

    def evaluate(values: Sequence[float | None]) -> float | None:
        known = list(_known(values))
        return function(known) if known else None

    return evaluate


def _median(values: list[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) * (value - mean) for value in values) / len(values))


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    if not lists:
        return []
    rest = [set(texts) for texts in lists[1:]]
    return [text for text in dict.fromkeys(lists[0]) if all(text in texts for texts in rest)]


FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "min": _over(min),
    "max": _over(max),
    "avg": _over(lambda values: sum(values) / len(values)),
    "median": _over(_median),
    "sum": _over(sum),
    "stddev": _over(_deviation),
    "count": len,
    "set_intersection": _common,
}
