"""Collection rules, compiled: how often a text occurs, how many all lists share, how many each shares with a reference.

Source: FlexMatch developer guide, rule types; published rule sets. Inferred: without bounds at least one is asked for.
"""

from collections.abc import Callable, Mapping, Sequence

from apitrail.flexmatch.checks import Check, Compiler, Passes, plain_path
from apitrail.flexmatch.ruleset import CollectionRule, Constant, Measured
from apitrail.flexmatch.values import Teams, compile_expression, compile_lists

Lists = list[list[str]]
Counts = Callable[[Lists, Sequence[str]], list[int]]


def collection(compiler: Compiler, rule: CollectionRule) -> Check:
    """Compile a collection rule. A rule that has nothing to count yet passes."""
    low, high = _bounds(rule)
    counts = _counts(compiler, rule)

    def passes(teams: Teams) -> bool:
        return all(low <= count <= high for count in counts(teams))

    def miss(teams: Teams) -> float | None:
        return max((max(low - count, count - high, 0.0) for count in counts(teams)), default=0.0)

    expressions = [*rule.measurements, *([rule.reference] if rule.reference else [])]
    check = compiler.base(rule, "collection", passes, expressions)
    check.miss = miss
    check.prune = _prune(rule, counts, low, high)
    return check


def _bounds(rule: CollectionRule) -> tuple[float, float]:
    if rule.min_count is None and rule.max_count is None:
        return 1.0, float("inf")
    low = 0.0 if rule.min_count is None else float(rule.min_count)
    return low, float("inf") if rule.max_count is None else float(rule.max_count)


def _counts(compiler: Compiler, rule: CollectionRule) -> Callable[[Teams], list[int]]:
    """Return a function that gives the counts that the bounds are for."""
    parts = [compile_lists(item, compiler.slots, rule.aggregation) for item in rule.measurements]
    reference = _reference(compiler, rule)
    count = COUNTS[rule.operation]
    return lambda teams: count([texts for part in parts for texts in part(teams)], reference(teams))


def _reference(compiler: Compiler, rule: CollectionRule) -> Callable[[Teams], Sequence[str]]:
    if rule.reference is None:
        return lambda teams: ()
    if rule.operation == "contains":
        constant = compile_expression(rule.reference.expression, compiler.slots, rule.aggregation)
        return lambda teams: (constant(teams),)
    lists = compile_lists(rule.reference, compiler.slots, rule.aggregation)
    return lambda teams: [text for texts in lists(teams) for text in texts]


def _occurrences(lists: Lists, reference: Sequence[str]) -> list[int]:
    return [sum(texts.count(reference[0]) for texts in lists)]


def _shared(lists: Lists, _: Sequence[str]) -> list[int]:
    return [len(set(lists[0]).intersection(*lists[1:]))] if lists else []


def _overlaps(lists: Lists, reference: Sequence[str]) -> list[int]:
    wanted = set(reference)
    return [len(wanted.intersection(texts)) for texts in lists]


COUNTS: Mapping[str, Counts] = {
    "contains": _occurrences,
    "intersection": _shared,
    "reference_intersection_count": _overlaps,
}


def _prune(rule: CollectionRule, counts: Callable[[Teams], list[int]], low: float, high: float) -> Passes | None:
    """Return what can be said before all players are there: counts that only grow or only fall, or stay."""
    if not all(_is_plain(item) for item in rule.measurements):
        return None
    if rule.operation == "intersection":
        return lambda teams: all(count >= low for count in counts(teams))
    reference = rule.reference
    stays = rule.operation != "contains" and reference is not None and isinstance(reference.expression, Constant)
    if stays and all(item.depth > 1 for item in rule.measurements):
        return lambda teams: all(low <= count <= high for count in counts(teams))
    if reference is not None and _is_plain(reference):
        return lambda teams: all(count <= high for count in counts(teams))
    return None


def _is_plain(measured: Measured) -> bool:
    return isinstance(measured.expression, Constant) or plain_path(measured.expression) is not None
