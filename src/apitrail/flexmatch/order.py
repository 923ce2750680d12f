"""The order in which candidates are tried for an anchor.

Sorting rules in the order of the document come first; without one, the attributes of batching preference `sorted`; else age,
or chance where batching preference `random` is written in the rule set. Inferred: `sorted` puts those first who are
nearest to the anchor; whoever lacks a value comes last.
"""

from collections.abc import Callable
from typing import Any

from apitrail.flexmatch.party import AGGREGATIONS, Party
from apitrail.flexmatch.plan import Plans
from apitrail.flexmatch.ruleset import Sort
from apitrail.flexmatch.waiting import Waiting

ValueOf = Callable[[Party], Any]
Arrange = Callable[[Waiting, list[Waiting]], list[Waiting]]


def arranger(plans: Plans) -> Arrange | None:
    """Return the function that puts candidates in order for an anchor, or None when their own order is the order.

    To be called before there are parties, since it asks for values.
    """
    sorts = [rule for rule in plans.rules.levels[0].rules if isinstance(rule, Sort)]
    for rule in sorts:
        plans.slots.number(rule.attribute, rule.aggregation)
    if sorts:
        return lambda anchor, found: _by_rules(plans, sorts, anchor, found)
    names = plans.rules.algorithm.sort_by
    if names:
        slots = [plans.slots.number(name, "avg") for name in names]
        return lambda anchor, found: sorted(
            found, key=lambda waiting: (_nearness(anchor, waiting, slots), waiting.order)
        )
    return None


def _by_rules(plans: Plans, sorts: list[Sort], anchor: Waiting, found: list[Waiting]) -> list[Waiting]:
    """Sort by the last rule first, so that the first one decides; equal ones stay in their own order."""
    found = sorted(found, key=_own_order)
    for rule in reversed(sorts):
        value_of = _value_of(plans, rule, anchor)
        known = [(value, waiting) for waiting in found if (value := value_of(waiting.party)) is not None]
        unknown = [waiting for waiting in found if value_of(waiting.party) is None]
        known.sort(key=_value, reverse=rule.descending)
        found = [waiting for _, waiting in known] + unknown
    return found


def _value_of(plans: Plans, rule: Sort, anchor: Waiting) -> ValueOf:
    """Return what a rule sorts by: a party's value, or its distance from the anchor's."""
    own = _attribute_of(plans, rule, anchor.party)
    if rule.absolute:
        return own
    middle = own(anchor.party)

    def far(party: Party) -> Any:
        value = own(party)
        return None if value is None or middle is None else abs(value - middle)

    return far


def _attribute_of(plans: Plans, rule: Sort, anchor: Party) -> ValueOf:
    if rule.map_key is None:
        slot = plans.slots.number(rule.attribute, rule.aggregation)
        return lambda party: party.values[slot]
    merged = _merged(plans, rule, anchor)
    if not merged:
        return lambda party: None
    pick = min if rule.map_key == "minValue" else max
    key = pick(sorted(merged), key=lambda name: merged[name])
    return lambda party: _merged(plans, rule, party).get(key)


def _merged(plans: Plans, rule: Sort, party: Party) -> dict[str, float]:
    """Return a party's map: the keys that all its players have, with their values as one."""
    default = plans.rules.attributes[rule.attribute].default
    maps = [player.attributes.get(rule.attribute, default) for player in party.players]
    if not maps or not all(isinstance(one, dict) for one in maps):
        return {}
    given: list[Any] = maps
    combine = AGGREGATIONS[rule.aggregation]
    return {key: combine([one[key] for one in given]) for key in given[0] if all(key in one for one in given)}


def _nearness(anchor: Waiting, waiting: Waiting, slots: list[int]) -> list[tuple[bool, float]]:
    """Return how far a ticket's values are from the anchor's, one after another; unknown ones are farthest."""
    return [_far(anchor.values[slot], waiting.values[slot]) for slot in slots]


def _far(middle: Any, value: Any) -> tuple[bool, float]:
    if middle is None or value is None:
        return True, 0.0
    return False, float(value != middle) if isinstance(value, str) else abs(value - middle)


def _own_order(waiting: Waiting) -> tuple[float, str]:
    return waiting.order


def _value(pair: tuple[Any, Waiting]) -> Any:
    return pair[0]
