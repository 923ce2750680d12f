"""Parties: the players of a ticket as one, with the values that rules ask for.

Before a rule is evaluated, the players of a ticket become one value: the average, least or greatest of a number, the union or
intersection of lists of texts, the first player's text. Players of a backfill ticket come from several tickets, so each of
them is a party of its own. Source: FlexMatch developer guide, party aggregation.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from apitrail.flexmatch.ruleset import Attribute
from apitrail.flexmatch.tickets import Player

Slot = tuple[str, str]
"""An attribute and how a party's values of it become one."""


class Slots:
    """Numbers the values that rules ask for, so that a party holds them in one list."""

    def __init__(self, attributes: Mapping[str, Attribute]) -> None:
        self._attributes = attributes
        self._numbers: dict[Slot, int] = {}

    def number(self, attribute: str, aggregation: str) -> int:
        """Return the number of a value; an aggregation that does not fit its type becomes the type's own."""
        fitting = FITTING[self._attributes[attribute].type]
        if aggregation not in fitting:
            aggregation = fitting[0]
        return self._numbers.setdefault((attribute, aggregation), len(self._numbers))

    def is_list(self, attribute: str) -> bool:
        """Return whether an attribute's values are lists."""
        return self._attributes[attribute].type == "string_list"

    def values(self, players: Sequence[Player]) -> list[Any]:
        """Return the values of a party, by number; None where a player lacks the attribute and it has no default."""
        return [self._value(players, *slot) for slot in self._numbers]

    def _value(self, players: Sequence[Player], name: str, aggregation: str) -> Any:
        attribute = self._attributes[name]
        given = [player.attributes.get(name, attribute.default) for player in players]
        fits = TYPES[attribute.type]
        if not given or not all(fits(value) for value in given):
            return None
        return AGGREGATIONS[aggregation](given)


class Party:
    """Players that stay together. values: by slot number. ids: of the players. latency: players' own, by location."""

    __slots__ = ("_latencies", "count", "ids", "players", "unbound", "values")

    def __init__(self, players: Sequence[Player], slots: Slots, *, unbound: bool = False) -> None:
        self.players = players
        self.count = len(players)
        self.ids = tuple(player.id for player in players)
        self.values = slots.values(players)
        self._latencies: dict[str, dict[str, float]] = {}
        self.unbound = unbound and not any(player.latencies for player in players)

    def latency(self, aggregation: str) -> dict[str, float]:
        """Return the party's latency to each location that all its players report."""
        found = self._latencies.get(aggregation)
        if found is None:
            found = self._latencies[aggregation] = self._latency(aggregation)
        return found

    def _latency(self, aggregation: str) -> dict[str, float]:
        first = self.players[0].latencies if self.players else {}
        if self.count == 1:
            return {location: float(value) for location, value in first.items()}
        common = (name for name in first if all(name in player.latencies for player in self.players))
        combine = AGGREGATIONS[aggregation]
        return {name: combine([player.latencies[name] for player in self.players]) for name in common}


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _union(lists: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(text for texts in lists for text in texts))


def _intersection(lists: Sequence[Sequence[str]]) -> list[str]:
    return [text for text in dict.fromkeys(lists[0]) if all(text in texts for texts in lists[1:])]


def _first(values: Sequence[Any]) -> Any:
    return values[0]


AGGREGATIONS: Mapping[str, Any] = {
    "first": _first,
    "avg": _average,
    "min": min,
    "max": max,
    "union": _union,
    "intersection": _intersection,
}
FITTING: Mapping[str, tuple[str, ...]] = {
    "string": ("first",),
    "number": ("avg", "min", "max"),
    "string_list": ("union", "intersection"),
    "string_number_map": ("first",),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


TYPES: Mapping[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "string_list": lambda value: isinstance(value, list | tuple),
    "string_number_map": lambda value: isinstance(value, dict),
}
