"""Model values to record values, compiled once per operation and side.

One walk lowers the first letter of each structure member, keeps the keys of maps, writes timestamps and floats
in the record's form, and hides what redact says. Source: the GameLift record in the developer guide.
"""

import math
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from botocore.model import ListShape, MapShape, StructureShape

from apitrail.events.record import number_text
from apitrail.events.redact import HIDDEN, Treat, treatment
from apitrail.events.rules import RecordRules
from apitrail.wire.models import OperationModel, Shape

Side = Literal["input", "output"]
Case = Callable[[Any], Any]
Caser = Callable[[dict[str, Any]], dict[str, Any] | None]

MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FLOAT32 = struct.Struct("<f")


@lru_cache(maxsize=8192)
def caser(operation: OperationModel, side: Side, rules: RecordRules, show_game_data: bool) -> Caser:
    """Return the function from params or result (model names) to requestParameters or responseElements.

    It gives None for an empty outcome. Members keep the order they come in; members unknown to the model and
    None values are dropped; the value handed in is never changed nor shared with the record.
    """
    shape = operation.input_shape if side == "input" else operation.output_shape
    if shape is None:
        return _nothing
    compiler = _Compiler(treatment(rules, show_game_data), rules.spelled)
    case = compiler.outermost(shape)
    return lambda value: case(value) or None


def record_name(member: str) -> str:
    """Return the record's spelling of a member name: the first letter lowered, the rest kept."""
    return member[:1].lower() + member[1:]


def record_timestamp(value: datetime | float) -> str:
    """Return `Dec 29, 2015 11:40:14 PM` for a datetime (naive: UTC) or epoch seconds, in UTC.

    Newer records of other services have a comma after the year; the GameLift record has none.
    """
    at = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
    if at.tzinfo is not None and at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    half = "AM" if at.hour < 12 else "PM"
    clock = f"{at.hour % 12 or 12}:{at.minute:02}:{at.second:02} {half}"
    return f"{MONTHS[at.month]} {at.day}, {at.year} {clock}"


def shortest_float32(value: float) -> float | str:
    """Return the shortest decimal that reads back as the same 32-bit float: 99.9000015 gives 99.9.

    Values outside the range of 32 bits are left as they are.
    """
    if isinstance(value, int) or not math.isfinite(value):
        return number_text(value)
    try:
        packed = FLOAT32.pack(value)
    except OverflowError:
        return value
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if FLOAT32.pack(short) == packed:
            return short
    return float(f"{value:.9g}")


def _nothing(_: dict[str, Any]) -> None:
    return None


def _hidden(_: Any) -> str:
    return HIDDEN


def _document(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _document(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_document(item) for item in value if item is not None]
    return number_text(value) if isinstance(value, float) else value


SCALARS: Mapping[str, Case | None] = {
    "string": None,
    "character": None,
    "boolean": None,
    "integer": None,
    "long": None,
    "double": number_text,
    "float": shortest_float32,
    "timestamp": record_timestamp,
}
"""How values that hold no others are written; None: as they are."""


class _Compiler:
    """Compiles the shapes of one operation. Each shape is compiled once; a shape inside itself finds its own case."""

    def __init__(self, treat: Treat, spelled: Mapping[str, str]) -> None:
        self._treat = treat
        self._spelled = spelled
        self._structures: dict[str, Case] = {}

    def outermost(self, shape: StructureShape) -> Case:
        """Return the case of an input or output; one that is hidden as a whole keeps its members' names."""
        if self._treat("", "", shape) == "shown":
            return self.structure(shape)
        kept = {name: self._spell(shape.name, name) for name in shape.members}
        return lambda value: {kept[name]: HIDDEN for name, item in value.items() if item is not None and name in kept}

    def structure(self, shape: StructureShape) -> Case:
        """Return the case of a structure."""
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        members: dict[str, tuple[str, Case | None]] = {}

        def case(value: dict[str, Any]) -> dict[str, Any]:
            cased = {}
            for name, item in value.items():
                if item is not None and name in members:
                    key, convert = members[name]
                    cased[key] = item if convert is None else convert(item)
            return cased

        self._structures[shape.name] = case
        for name, member in shape.members.items():
            written, convert = self._value(shape.name, name, member)
            if written:
                members[name] = (self._spell(shape.name, name), convert)
        return case

    def _spell(self, owner: str, name: str) -> str:
        return self._spelled.get(f"{owner}.{name}") or self._spelled.get(name) or record_name(name)

    def _value(self, owner: str, name: str, shape: Shape) -> tuple[bool, Case | None]:
        """Return whether a value is written at all, and its case (None: as it is)."""
        treated = self._treat(owner, name, shape)
        if treated != "shown":
            return treated == "masked", _hidden
        if isinstance(shape, StructureShape):
            return True, _document if shape.is_document_type else self.structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        return self._map(shape) if isinstance(shape, MapShape) else (True, SCALARS[shape.type_name])

    def _list(self, shape: ListShape) -> tuple[bool, Case | None]:
        written, convert = self._value(shape.name, "", shape.member)
        if convert is None:
            return written, lambda value: [item for item in value if item is not None]
        return written, lambda value: [convert(item) for item in value if item is not None]

    def _map(self, shape: MapShape) -> tuple[bool, Case | None]:
        written, convert = self._value(shape.name, "", shape.value)
        if convert is None:
            return written, lambda value: {key: item for key, item in value.items() if item is not None}
        return written, lambda value: {key: convert(item) for key, item in value.items() if item is not None}
