"""Parameters against the constraints of the model: required, length, range, pattern, enum, union.

A validator is compiled once per operation; parameters that are right cost a few comparisons per member.
Source: spec gamelift.md section 0.4 for the messages; Smithy, constraint traits.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from apitrail.wire.models import OperationModel, ServiceModel, Shape
from apitrail.wire.pattern import matcher
from apitrail.wire.tree import ListShape, MapShape, StructureShape

VALUE_MAX = 100
PROBLEMS_MAX = 100
LISTED_MAX = 10
ITEMS_SHOWN_MAX = 20


class Problem(NamedTuple):
    """One broken constraint. shown: `Value 'x'`, `Value null` or `Value`. path: below the shape that was checked."""

    shown: str
    path: str
    constraint: str


Problems = Sequence[Problem]
Check = Callable[[Any], Problems]
FINE: Problems = ()


@cache
def validator(operation: OperationModel, hidden: frozenset[str] = frozenset()) -> Callable[[dict[str, Any]], list[str]]:
    """Return a function that lists what is wrong with an operation's parameters, nothing when they are right.

    hidden: members (`TokenCode`, `GameProperty.Value`) and shapes whose values no text may show, beside those that the
    model calls sensitive.

    Text: `Value 'x' at 'storageLocation.bucket' failed to satisfy constraint: Member must ...`. Members have their
    first letter lowered, items of lists are `.N.member` from 1, values of maps `.<key>.member`. Values are cut to
    100 characters; those of sensitive shapes are not shown. Bounds: at most 100 problems are looked for.
    """
    shape = operation.input_shape
    check = None if shape is None else _checks(operation.service_model, hidden).check(shape)
    if check is None:
        return lambda params: []
    return lambda params: [
        f"{shown} at '{path}' failed to satisfy constraint: {constraint}"
        for shown, path, constraint in check(params)[:PROBLEMS_MAX]
    ]


def validation_message(problems: Sequence[str]) -> str:
    """Return the message for a caller: how many errors, and the first ten of them."""
    count = len(problems)
    noun = "error" if count == 1 else "errors"
    return f"{count} validation {noun} detected: {'; '.join(problems[:LISTED_MAX])}"


@cache
def _checks(model: ServiceModel, hidden: frozenset[str]) -> "Checks":
    return Checks(hidden)


class Checks:
    """Compiles the shapes of one service. A shape without constraints, in it or below, has no check."""

    def __init__(self, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self._checks: dict[str, Check | None] = {}

    def check(self, shape: Shape) -> Check | None:
        """Return the check of a shape, or None where every value of its type is right."""
        if shape.name not in self._checks:
            self._checks[shape.name] = lambda value: cast(Check, self._checks[shape.name])(value)
            compiled = self._compile(shape)
            self._checks[shape.name] = _veiled(compiled) if compiled and shape.name in self._hidden else compiled
        return self._checks[shape.name]

    def _compile(self, shape: Shape) -> Check | None:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(cast(StructureShape, shape))
        if kind in ("list", "map"):
            return self._container(shape)
        if kind in ("string", "character", "blob"):
            return _text_check(shape)
        return _range_check(shape) if kind in ("integer", "long", "float", "double") else None

    def _structure(self, shape: StructureShape) -> Check | None:
        if shape.metadata.get("document"):
            return None
        members = shape.members
        required = [
            (name, [Problem("Value null", lowered(name), "Member must not be null")])
            for name in shape.required_members
            if name in members and not members[name].serialization.get("streaming")
        ]
        compiled = {name: self._member(shape.name, name, member) for name, member in members.items()}
        checks = {name: (lowered(name), check) for name, check in compiled.items() if check is not None}
        union = bool(shape.metadata.get("union"))
        if not required and not checks and not union:
            return None
        return _structure_check(required, checks, union)

    def _member(self, owner: str, name: str, shape: Shape) -> Check | None:
        check = self.check(shape)
        is_hidden = not self._hidden.isdisjoint((name, f"{owner}.{name}"))
        return _veiled(check) if check is not None and is_hidden else check

    def _container(self, shape: Shape) -> Check | None:
        size = _size_check(shape, _is_sensitive(shape))
        if shape.type_name == "list":
            check = self.check(cast(ListShape, shape).member)
            inner = _items_check(check) if check is not None else None
        else:
            mapping = cast(MapShape, shape)
            inner = _entries_check(self.check(mapping.key), self.check(mapping.value), _is_sensitive(mapping.key))
        if size is None or inner is None:
            return size or inner
        first, second = size, inner
        return lambda value: [*first(value), *second(value)]


def lowered(name: str) -> str:
    """Return a member's name with its first letter lowered."""
    return name[:1].lower() + name[1:]


def _structure_check(
    required: list[tuple[str, list[Problem]]], checks: dict[str, tuple[str, Check]], union: bool
) -> Check:
    def check_structure(value: Any) -> Problems:
        found: list[Problem] = []
        for name, problem in required:
            if name not in value:
                found += problem
        for name, item in value.items():
            member = checks.get(name)
            if member is not None:
                problems = member[1](item)
                if problems:
                    found += [_below(member[0], problem) for problem in problems]
        if union and len(value) != 1:
            found.append(Problem("Value", "", "Member must have exactly one member set"))
        return found

    return check_structure


def _below(name: str, problem: Problem) -> Problem:
    return Problem(problem.shown, f"{name}.{problem.path}" if problem.path else name, problem.constraint)


def _veiled(check: Check) -> Check:
    """Return a check whose problems show no value."""

    def check_veiled(value: Any) -> Problems:
        problems = check(value)
        return [problem._replace(shown="Value") for problem in problems] if problems else FINE

    return check_veiled


def _items_check(check: Check) -> Check:
    def check_items(value: Any) -> Problems:
        found: list[Problem] = []
        for number, item in enumerate(value, 1):
            problems = check(item)
            if problems:
                found += [_below(f"{number}.member", problem) for problem in problems]
                if len(found) >= PROBLEMS_MAX:
                    break
        return found

    return check_items


def _entries_check(key_check: Check | None, value_check: Check | None, hidden: bool) -> Check | None:
    if key_check is None and value_check is None:
        return None

    def check_entries(value: Any) -> Problems:
        found: list[Problem] = []
        for number, (key, item) in enumerate(value.items(), 1):
            name = str(number) if hidden else key[:VALUE_MAX]
            if key_check is not None:
                found += [_below(name, problem) for problem in key_check(key)]
            if value_check is not None:
                found += [_below(f"{name}.member", problem) for problem in value_check(item)]
            if len(found) >= PROBLEMS_MAX:
                break
        return found

    return check_entries


def _limits(shape: Shape) -> tuple[float, float]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    return float("-inf") if low is None else low, float("inf") if high is None else high


def _is_sensitive(shape: Shape) -> bool:
    """Return whether a shape, or what a list or map holds, must not be shown."""
    if shape.metadata.get("sensitive"):
        return True
    if shape.type_name == "list":
        return _is_sensitive(cast(ListShape, shape).member)
    if shape.type_name == "map":
        mapping = cast(MapShape, shape)
        return _is_sensitive(mapping.key) or _is_sensitive(mapping.value)
    return False


def _size_check(shape: Shape, hidden: bool) -> Check | None:
    low, high = _limits(shape)
    if low <= 0 and high == float("inf"):
        return None

    def check_size(value: Any) -> Problems:
        size = len(value)
        if low <= size <= high:
            return FINE
        bound = f"greater than or equal to {low}" if size < low else f"less than or equal to {high}"
        return [Problem(_shown(value, hidden), "", f"Member must have length {bound}")]

    return check_size


def _text_check(shape: Shape) -> Check | None:
    hidden = _is_sensitive(shape)
    size = _size_check(shape, hidden)
    pattern: str | None = shape.metadata.get("pattern")
    listed: list[str] = shape.metadata.get("enum", [])
    values = frozenset(listed) if listed else None
    matches = matcher(pattern) if pattern and shape.type_name != "blob" else None
    if values is None and matches is None:
        return size

    def check_text(value: str) -> Problems:
        if size is not None:
            problems = size(value)
            if problems:
                return problems
        found = []
        if matches is not None and not matches(value):
            constraint = f"Member must satisfy regular expression pattern: {pattern}"
            found.append(Problem(_shown(value, hidden), "", constraint))
        if values is not None and value not in values:
            constraint = f"Member must satisfy enum value set: [{', '.join(listed)}]"
            found.append(Problem(_shown(value, hidden), "", constraint))
        return found

    return check_text


def _range_check(shape: Shape) -> Check | None:
    low, high = _limits(shape)
    hidden = _is_sensitive(shape)
    if low == float("-inf") and high == float("inf"):
        return None

    def check_range(value: float) -> Problems:
        if low <= value <= high:
            return FINE
        bound = f"less than or equal to {high}" if value > high else f"greater than or equal to {low}"
        return [Problem(_shown(value, hidden), "", f"Member must have value {bound}")]

    return check_range


def _shown(value: Any, hidden: bool) -> str:
    """Return how a message shows a value: lists and maps only as far as they hold scalars, at most 100 characters."""
    text = None if hidden else _plain(value)
    return "Value" if text is None else f"Value '{text[:VALUE_MAX]}'"


def _plain(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list):
        items = _all_plain(value[:ITEMS_SHOWN_MAX])
        return None if items is None else f"[{', '.join(items)}]"
    if isinstance(value, dict):
        keys = list(value)[:ITEMS_SHOWN_MAX]
        items = _all_plain([value[key] for key in keys])
        return None if items is None else _braces(keys, items)
    return None


def _all_plain(values: list[Any]) -> list[str] | None:
    texts = [text for text in map(_plain, values) if text is not None]
    return texts if len(texts) == len(values) else None


def _braces(keys: list[str], items: list[str]) -> str:
    return "{" + ", ".join(f"{key}={item}" for key, item in zip(keys, items, strict=True)) + "}"
