"""Reading a JSON document piece by piece, each piece with its path, so that every complaint says where."""

import json
import math
from collections.abc import Collection, Iterator
from typing import Any, NoReturn

from apitrail.flexmatch.errors import RuleSetError

BODY_LENGTH_MAX = 65_535
SHOWN_MAX = 60


class Piece:
    """A JSON object in the document. path: where it stands, empty for the document itself."""

    __slots__ = ("path", "values")

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, message: str) -> NoReturn:
        """Complain about a field."""
        raise RuleSetError(f"{self.at(name)} {message}")

    def has(self, name: str) -> bool:
        """Return whether a field is given; null counts as absent."""
        return self.values.get(name) is not None

    def need(self, name: str, what: str) -> Any:
        """Return the value of a required field. what: completes "must be given: ..."."""
        if not self.has(name):
            self.refuse(name, f"must be given: {what}.")
        return self.values[name]

    def text(self, name: str, what: str) -> str:
        """Return a required text that is not empty."""
        value = self.need(name, what)
        if not isinstance(value, str) or not value.strip():
            self.refuse(name, f"must be a text that is not empty: {what}.")
        return value

    def number(self, name: str, *, low: float = -math.inf) -> float | None:
        """Return a number, which may be written as a text, or None when the field is absent."""
        if not self.has(name):
            return None
        value = as_number(self.values[name])
        if value is None:
            self.refuse(name, f"must be a number, not {shown(self.values[name])}.")
        if value < low:
            self.refuse(name, f"must be {low:g} or more, not {value:g}.")
        return value

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number within bounds, or None when the field is absent."""
        value = self.number(name)
        if value is None:
            return None
        if value != int(value) or not low <= value <= high:
            self.refuse(name, f"must be a whole number from {low} to {high}, not {shown(self.values[name])}.")
        return int(value)

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """Return one of some words. default: for an absent field; None: it must be given."""
        if default is not None and not self.has(name):
            return default
        value = self.need(name, f"one of {', '.join(allowed)}")
        if value not in allowed:
            self.refuse(name, f"must be one of {', '.join(allowed)}, not {shown(value)}.")
        return str(value)

    def objects(self, name: str, count_max: int) -> "list[Piece]":
        """Return the objects of a list; an absent list is empty."""
        items = self.values.get(name)
        if items is None:
            return []
        if not isinstance(items, list):
            self.refuse(name, f"must be a list of objects, not {shown(items)}.")
        if len(items) > count_max:
            self.refuse(name, f"must have at most {count_max} entries, not {len(items)}.")
        return list(self._pieces(name, items))

    def _pieces(self, name: str, items: list[Any]) -> "Iterator[Piece]":
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                self.refuse(f"{name}[{number}]", f"must be an object, not {shown(item)}.")
            yield Piece(item, self.at(f"{name}[{number}]"))


def read_document(body: str) -> Piece:
    """Return the document. Raises: RuleSetError with line and column where it is not strict JSON."""
    if len(body) > BODY_LENGTH_MAX:
        raise RuleSetError(f"The rule set must have at most {BODY_LENGTH_MAX} characters, not {len(body)}.")
    try:
        document = json.loads(body, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RuleSetError(f"The rule set is not valid JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise RuleSetError("The rule set is nested too deeply.") from error
    except ValueError as error:
        raise RuleSetError("The rule set has a number with too many digits.") from error
    if not isinstance(document, dict):
        raise RuleSetError(f"The rule set must be a JSON object, not {shown(document)}.")
    return Piece(document)


def as_number(value: Any) -> float | None:
    """Return a number, or the number that a text is, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shown(value: Any) -> str:
    """Return a value as it may stand in a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RuleSetError(f"The field {shown(repeated)} stands twice in one object; keep one of them.")
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise RuleSetError(f"The rule set is not valid JSON: {name} is no JSON number.")
