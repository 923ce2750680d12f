"""Expansions: which fields of rules and teams change after which waiting time, and the levels that result.

The document is changed field by field and the rules concerned are read again, so that every step is checked like the
document itself. Source: FlexMatch developer guide, rule expansions. Inferred: a team's name stands for all teams made
from its quantity; what each type of rule lets expand.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apitrail.flexmatch.document import Piece
from apitrail.flexmatch.errors import RuleSetError

STEPS_MAX = 200
WAIT_MAX = 43_200
EXPANDABLE: Mapping[str, tuple[str, ...]] = {
    "comparison": ("referenceValue",),
    "distance": ("minDistance", "maxDistance", "referenceValue"),
    "collection": ("minCount", "maxCount", "referenceValue"),
    "latency": ("maxLatency", "maxDistance"),
    "batchDistance": ("maxDistance",),
    "absoluteSort": (),
    "distanceSort": (),
    "compound": (),
}
TEAM_FIELDS = ("minPlayers", "maxPlayers")
TARGET = re.compile(r"\s*(rules|teams)\[([^\]\[]+)\]\.(\w+)\s*")


@dataclass(frozen=True, slots=True)
class Step:
    """From wait_s on, a field of some objects of a list has a value. kind: `rules` or `teams`. path: for messages."""

    wait_s: float
    kind: str
    numbers: tuple[int, ...]
    field: str
    value: Any
    path: str


def read_steps(document: Piece, rules: Sequence[Piece], teams: Sequence[Piece]) -> list[Step]:
    """Return the steps of all expansions, by waiting time. Raises: RuleSetError."""
    steps: list[Step] = []
    for expansion in document.objects("expansions", STEPS_MAX):
        kind, numbers, field = _target(expansion, rules, teams)
        given = expansion.objects("steps", STEPS_MAX)
        if not given:
            expansion.refuse("steps", "must have at least one step.")
        steps += _in_order(given, kind, numbers, field)
    if len(steps) > STEPS_MAX:
        raise RuleSetError(f"expansions must have at most {STEPS_MAX} steps together, not {len(steps)}.")
    return sorted(steps, key=lambda step: step.wait_s)


def _in_order(given: Sequence[Piece], kind: str, numbers: tuple[int, ...], field: str) -> Iterator[Step]:
    """Yield the steps of one expansion, whose waiting times must grow."""
    before = -1
    for piece in given:
        piece.need("waitTimeSeconds", "the seconds after which the value holds")
        wait = piece.whole("waitTimeSeconds", 0, WAIT_MAX)
        assert wait is not None
        if wait <= before:
            piece.refuse("waitTimeSeconds", f"must be above that of the step before, {before}.")
        before = wait
        value = piece.need("value", f"the value of {field} from then on")
        yield Step(wait, kind, numbers, field, value, piece.path)


def _target(expansion: Piece, rules: Sequence[Piece], teams: Sequence[Piece]) -> tuple[str, tuple[int, ...], str]:
    """Return kind, numbers in the list and field that an expansion changes."""
    text = expansion.text("target", "such as rules[FairSkill].maxDistance or teams[red].minPlayers")
    found = TARGET.fullmatch(text)
    if found is None:
        expansion.refuse("target", f"must have the form rules[<name>].<field> or teams[<name>].<field>, not {text}.")
    kind, field = found[1], found[3]
    pieces = rules if kind == "rules" else teams
    numbers = []
    for name in dict.fromkeys(name.strip() for name in found[2].split(",")):
        number = next((number for number, piece in enumerate(pieces) if piece.values["name"] == name), None)
        if number is None:
            expansion.refuse("target", f"names {name}, which is not among the {kind}.")
        _check_field(expansion, kind, pieces[number], field)
        numbers.append(number)
    return kind, tuple(numbers), field


def _check_field(expansion: Piece, kind: str, piece: Piece, field: str) -> None:
    fields = EXPANDABLE[piece.values["type"]] if kind == "rules" else TEAM_FIELDS
    if field not in fields:
        what = f"a {piece.values['type']} rule" if kind == "rules" else "a team"
        known = f"only {', '.join(fields)} of {what} can" if fields else f"nothing of {what} can"
        expansion.refuse("target", f"names {field}; {known} expand.")
